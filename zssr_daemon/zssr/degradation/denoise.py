"""Denoising: remove noise by shrinking the DCT coefficients of 8 × 8 windows.

Two steps, both over overlapping windows whose results are averaged. The first sets coefficients to
0 that noise could have made (Yu and Sapiro 2011, doi 10.5201/ipol.2011.ys-dct). The second weighs
the coefficients of the noisy image by the result of the first (the empirical Wiener filter, Dabov
et al. 2007, doi 10.1109/TIP.2007.901238, section 4.2, here without its matching of blocks).
Each coefficient is compared with the noise that it holds: of its frequency, its colour and the
brightness of its window.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from zssr_daemon.zssr.degradation.noise_shape import WHITE, NoiseShape, joined, separated
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


def denoise(
    image: Tensor,
    noise_std: float,
    on_strip: Callable[[], None] = lambda: None,
    wrap: Wrap = OPEN,
    shape: NoiseShape = WHITE,
) -> Tensor:
    """Return `image` without most of its noise of standard deviation `noise_std`.

    image: (..., C, H, W) float32, C 1 or 3, [0, 1]; noise_std: levels of 255, above 0.
    Returns the same shape, [0, 1]. on_strip is called after each strip. shape: of the noise.
    """
    channels, height, width = image.shape[-3:]
    # Detail is mostly brightness, so that colours, apart from it, can be smoothed more.
    planes = separated(image).reshape(-1, 1, height, width)
    noise = _Noise(noise_std / 255, shape, channels)
    # Sides become a whole number of steps, so that the last window ends where the image does.
    ends = (REACH, REACH + -width % STEP, REACH, REACH + -height % STEP)
    padded = continued(planes, ends, wrap)
    clean = torch.empty_like(planes)
    thickness = max(SIDE, STRIP_PIXELS // width // STEP * STEP)
    for top in range(0, height, thickness):
        strip = padded[..., top : top + thickness + 2 * REACH, :]
        place = clean[..., top : top + thickness, :]
        place.copy_(_shrunken(strip, noise)[..., : place.shape[-2], :width])
        on_strip()
    return joined(clean.reshape(image.shape)).clamp_(0, 1)


@dataclass(frozen=True, slots=True)
class _Noise:
    """What noise is expected in the coefficients of windows."""

    std: float  # for a range of 1
    shape: NoiseShape
    channels: int

    def stds_in(self, coefficients: Tensor) -> Tensor:
        """Return the noise in coefficients (N, 64, windows), in a shape that fits them."""
        stds = self.of_waves(coefficients)
        if not self.shape.by_brightness:
            return stds
        means = coefficients[:, 0].reshape(-1, self.channels, coefficients.shape[-1])[:, :1]
        # The transform is orthonormal, and so is the way to brightness.
        brightness = means / (SIDE * math.sqrt(self.channels))
        strength = self.shape.strength(brightness).expand(-1, self.channels, -1)
        return stds * strength.reshape(len(coefficients), 1, -1)

    def of_waves(self, coefficients: Tensor) -> Tensor:
        """Return the noise at middling brightness, (N, 64, 1)."""
        if not self.shape.spectra:
            return coefficients.new_full((1, 1, 1), self.std)
        stds = self.std * self.shape.stds(self.channels).to(coefficients)
        return stds.repeat(len(coefficients) // self.channels, 1).unsqueeze(-1)


def _shrunken(padded: Tensor, noise: _Noise) -> Tensor:
    """Return (N, 1, h + 2 REACH, w + 2 REACH) denoised, (N, 1, h, w)."""
    noisy = _coefficients(padded)
    weights = noise.of_waves(noisy).square()
    kept = noisy.abs() > THRESHOLD * noise.stds_in(noisy)
    kept[:, 0] = True  # the mean
    # Windows with little noise left count more.
    left = (kept * weights).sum(dim=1, keepdim=True)
    first = _overlapped(noisy * kept, 1 / left, padded)
    found = _coefficients(first)
    variance = noise.stds_in(found).square()
    found.square_()
    gain = found / (found + variance)
    gain[:, 0] = 1
    noisy = _coefficients(padded[_INNER])
    left = (gain.square() * weights).sum(dim=1, keepdim=True)
    return _overlapped(noisy * gain, 1 / left, first)


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
