"""Denoising: remove white noise by shrinking the DCT coefficients of 8 × 8 windows.

Two steps, both over overlapping windows whose results are averaged. The first sets coefficients to
0 that noise could have made (Yu and Sapiro 2011, doi 10.5201/ipol.2011.ys-dct). The second weighs
the coefficients of the noisy image by the result of the first (the empirical Wiener filter, Dabov
et al. 2007, doi 10.1109/TIP.2007.901238, section 4.2, here without its matching of blocks).
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.ops.dct import SIDE, basis
from zssr_daemon.zssr.ops.wrap import OPEN, Wrap, continued

# Coefficients below this many standard deviations of the noise count as noise.
THRESHOLD = 2.7

# Pixels from one window to the next, both ways. A step of 1 would take four times as long.
STEP = 2

# Pixels of a strip, which bounds the memory: each pixel has 64 / STEP² coefficients.
STRIP_PIXELS = 2**17

# How far the two steps look together, pixels.
REACH = 2 * (SIDE - 1)

# Brightness and two differences of colours, orthonormal once normalised: so the noise is equally
# strong in all three. Detail is mostly brightness, so that colours can be smoothed more.
_COLOURS = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])


def denoise(
    image: Tensor,
    noise_std: float,
    on_strip: Callable[[], None] = lambda: None,
    wrap: Wrap = OPEN,
) -> Tensor:
    """Return `image` without most of its white noise of standard deviation `noise_std`.

    image: (..., C, H, W) float32, C 1 or 3, [0, 1]; noise_std: levels of 255, above 0.
    Returns the same shape, [0, 1]. on_strip is called after each strip.
    """
    planes = _separated(image)
    height, width = image.shape[-2:]
    # Sides become a whole number of steps, so that the last window ends where the image does.
    ends = (REACH, REACH + -width % STEP, REACH, REACH + -height % STEP)
    padded = continued(planes, ends, wrap)
    clean = torch.empty_like(planes)
    thickness = max(SIDE, STRIP_PIXELS // width // STEP * STEP)
    for top in range(0, height, thickness):
        strip = padded[..., top : top + thickness + 2 * REACH, :]
        place = clean[..., top : top + thickness, :]
        place.copy_(_shrunken(strip, noise_std / 255)[..., : place.shape[-2], :width])
        on_strip()
    return _joined(clean.reshape(image.shape)).clamp_(0, 1)


def _shrunken(padded: Tensor, std: float) -> Tensor:
    """Return (N, 1, h + 2 REACH, w + 2 REACH) denoised, (N, 1, h, w); std: for a range of 1."""
    noisy = _coefficients(padded)
    kept = noisy.abs() > THRESHOLD * std
    kept[:, 0] = True  # the mean
    # Windows with few coefficients left contain less noise, and count more.
    first = _overlapped(noisy * kept, 1 / kept.sum(dim=1, keepdim=True), padded)
    found = _coefficients(first).square_()
    gain = found / (found + std**2)
    gain[:, 0] = 1
    noisy = _coefficients(padded[_INNER])
    return _overlapped(noisy * gain, 1 / gain.square().sum(dim=1, keepdim=True), first)


_INNER = (..., slice(SIDE - 1, 1 - SIDE), slice(SIDE - 1, 1 - SIDE))


def _coefficients(planes: Tensor) -> Tensor:
    """Return the coefficients of all windows of (N, 1, h, w): (N, 64, windows)."""
    return _waves(planes) @ functional.unfold(planes, SIDE, stride=STEP)


def _overlapped(coefficients: Tensor, weights: Tensor, like: Tensor) -> Tensor:
    """Return the weighted mean of the windows at each pixel that all its windows hold.

    weights: (N, 1, windows). The result is as large as `like` (N, 1, h, w) without its edge.
    """
    pixels = _waves(like).T @ (coefficients * weights)
    size = like.shape[-2:]
    total = functional.fold(pixels, size, SIDE, stride=STEP)
    count = functional.fold(weights.expand_as(pixels), size, SIDE, stride=STEP)
    return torch.as_tensor(total[_INNER] / count[_INNER])


def _waves(like: Tensor) -> Tensor:
    """Return the two-dimensional transform, (64, 64): one wave in each row."""
    return torch.kron(basis(), basis()).to(like)


def _separated(image: Tensor) -> Tensor:
    """Return the planes (N, 1, H, W) that are denoised one by one."""
    if image.shape[-3] == 3:
        image = torch.einsum("dc,...chw->...dhw", _colours(image), image)
    return image.reshape(-1, 1, *image.shape[-2:])


def _joined(planes: Tensor) -> Tensor:
    """Undo `_separated` on (..., C, H, W)."""
    if planes.shape[-3] == 3:
        planes = torch.einsum("dc,...dhw->...chw", _colours(planes), planes)
    return planes


def _colours(image: Tensor) -> Tensor:
    return functional.normalize(_COLOURS, dim=1).to(image)
