"""Blur kernels of cameras, drawn at random: Gaussians, lenses out of focus, motion.

python -m bench.quality.blur_kernels tests/data/butterfly_hr.png motion 1 -o /tmp/moved.png

writes a picture blurred by kernel 1 of a family, and shrunk by 2.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.quality.run import to_tensor, to_uint8
from zssr_daemon.zssr.degradation.blur import Kernel

Array = NDArray[np.float64]

# For ×2; the blur of other scales is in proportion.
GAUSSIAN_VARIANCES = (0.6, 5.0)  # square pixels of the large image, as in DIV2KRK
WEAK_TRACES, WEAK_SHARES = (1.0, 2.4), (0.3, 0.7)
GAUSSIAN_SIDE = 11
GAUSSIAN_NOISE = 0.25  # each weight is multiplied by 1 ± this
DISK_RADII = (1.2, 3.5)
MOTION_LENGTHS = (3.0, 10.0)


def gaussian(random: np.random.Generator, scale: float) -> Array:
    """Draw an anisotropic Gaussian at any angle, with noise on its weights."""
    first, second = random.uniform(*GAUSSIAN_VARIANCES, 2)
    return _noisy_gaussian(random, first, second, scale / 2)


def weak(random: np.random.Generator, scale: float) -> Array:
    """Draw such a Gaussian that is hardly wider than what bicubic does."""
    trace, share = random.uniform(*WEAK_TRACES), random.uniform(*WEAK_SHARES)
    return _noisy_gaussian(random, trace * share, trace * (1 - share), scale / 2)


def _noisy_gaussian(
    random: np.random.Generator, first: float, second: float, grown: float
) -> Array:
    """Draw a Gaussian of two variances, square pixels at ×2, `grown` times as wide."""
    first, second = first * grown**2, second * grown**2
    angle = random.uniform(0, math.pi)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    inverse = turn @ np.diag([1 / first, 1 / second]) @ turn.T
    side = round((GAUSSIAN_SIDE - 1) / 2 * grown) * 2 + 1
    at = np.arange(side) - (side - 1) / 2
    places = np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1)
    weights = np.exp(-0.5 * np.einsum("...i,ij,...j", places, inverse, places))
    return np.asarray(
        weights * random.uniform(1 - GAUSSIAN_NOISE, 1 + GAUSSIAN_NOISE, (side, side))
    )


def disk(random: np.random.Generator, scale: float) -> Array:
    """Draw the disk of a lens out of focus."""
    radius, fine = random.uniform(*DISK_RADII) * scale / 2, 16
    side = 2 * math.ceil(radius) + 1
    at = (np.arange(side * fine) + 0.5) / fine - side / 2
    inside = np.hypot(at[:, None], at) <= radius
    return np.asarray(inside.reshape(side, fine, side, fine).mean(axis=(1, 3)))


def motion(random: np.random.Generator, scale: float) -> Array:
    """Draw a straight motion at constant speed."""
    length, angle = random.uniform(*MOTION_LENGTHS) * scale / 2, random.uniform(0, math.pi)
    along = np.linspace(-length / 2, length / 2, 500)
    return _path_weights(
        along * math.sin(angle), along * math.cos(angle), math.ceil(length / 2) + 1
    )


def _path_weights(y: Array, x: Array, radius: int) -> Array:
    """Return the weights of the points of a path; each point is shared among four pixels."""
    at = np.arange(-radius, radius + 1)
    rows, columns = ((1 - np.abs(at[:, None] - each)).clip(min=0) for each in (y, x))
    return np.asarray(rows @ columns.T)


def shake(random: np.random.Generator, scale: float) -> Array:
    """Draw a shaken hand: a bent line, slower at one end."""
    length, angle = random.uniform(*MOTION_LENGTHS) * scale / 2, random.uniform(0, math.pi)
    bend, hold = random.uniform(-0.5, 0.5), random.uniform(1, 2)
    along = np.linspace(0, 1, 500) ** hold
    across = bend * length * 4 * along * (1 - along)
    y = (along - 0.5) * length * math.sin(angle) + across * math.cos(angle)
    x = (along - 0.5) * length * math.cos(angle) - across * math.sin(angle)
    return _path_weights(y, x, math.ceil(length) + 1)


FAMILIES: dict[str, Callable[[np.random.Generator, float], Array]] = {
    "gaussian": gaussian,
    "weak": weak,
    "disk": disk,
    "motion": motion,
    "shake": shake,
}


def blurred(
    truth: torch.Tensor, family: str, number: int, scale: int
) -> tuple[Kernel, torch.Tensor]:
    """Return kernel `number` of a family, and (C, H, W) in [0, 1] blurred by it and shrunk.

    The sides must be multiples of `scale`; the result is rounded to 8 bits.
    """
    kernel = Kernel.of(FAMILIES[family](np.random.default_rng(number), scale))
    size = (truth.shape[-2] // scale, truth.shape[-1] // scale)
    shrunk = kernel.shrink(truth, size, float(scale)).clamp(0, 1)
    return kernel, shrunk.mul(255).round().div(255)


def main() -> None:
    """Read the command line, blur, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("family", choices=list(FAMILIES))
    parser.add_argument("number", type=int)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    with Image.open(options.picture) as image:
        truth = to_tensor(image)
    _, small = blurred(truth, options.family, options.number, 2)
    Image.fromarray(to_uint8(small, is_grey=False)).save(options.output)


if __name__ == "__main__":
    main()
