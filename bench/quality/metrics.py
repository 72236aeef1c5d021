"""Metrics: PSNR and SSIM on the luma of 8-bit images, as the super-resolution papers count."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Plane = NDArray[np.float64]


def luma(image: Image) -> Plane:
    """Return Y of BT.601, 16..235, not rounded, (H, W), of an image (H, W, 3) uint8.

    Grey images (H, W) are compared as they are, 0..255: so did those who published the numbers.
    """
    if image.ndim == 2:
        return image.astype(np.float64)
    weights = np.array([65.481, 128.553, 24.966]) / 255
    return 16 + image.astype(np.float64) @ weights


def psnr_y_db(result: Image, truth: Image, *, crop_border: int) -> float:
    """Return the PSNR (dB, peak 255) of the luma, `crop_border` pixels cut from every side."""
    difference = _cut(luma(result) - luma(truth), crop_border)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


def ssim_y(result: Image, truth: Image, *, crop_border: int) -> float:
    """Return the mean SSIM of the luma (Wang et al. 2004, doi 10.1109/TIP.2003.819861).

    Gaussian window 11 x 11, sigma 1.5, only where it lies inside; K1 0.01, K2 0.03, peak 255.
    """
    a, b = _cut(luma(result), crop_border), _cut(luma(truth), crop_border)
    mean_a, mean_b = _blur(a), _blur(b)
    var_a, var_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return float(np.mean((2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1) * structure))


def _cut(plane: Plane, border: int) -> Plane:
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border]


def _blur(plane: Plane) -> Plane:
    """Average under the Gaussian window, rows then columns, inner positions only."""
    window = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window /= window.sum()
    for axis in (0, 1):
        views = np.lib.stride_tricks.sliding_window_view(plane, len(window), axis=axis)
        plane = views @ window
    return plane
