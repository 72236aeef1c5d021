"""BlurEstimate: whether an image was blurred before it was sub-sampled, and how, from its pixels.

Four models explain the image's spectrum: that of a natural picture (a power law of unknown slope,
stronger in some directions) times what bicubic, a Gaussian, a disk or a line leaves of it. Where
bicubic explains it about as well as the best blur does, the image counts as sharp: to remove a blur
that is not there costs up to 9 dB, to leave one that is there costs 1 to 6 dB.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares
from torch import Tensor

from zssr_daemon.zssr.config import KernelPhase
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.estimation.blur_family import (
    BICUBIC_FAMILY,
    DISK,
    GAUSSIAN,
    BlurFamily,
    Shape,
    covariance,
    lines_along,
)
from zssr_daemon.zssr.estimation.spectrum import Spectrum
from zssr_daemon.zssr.ops.luma import WEIGHTS, luma
from zssr_daemon.zssr.ops.regions import regions
from zssr_daemon.zssr.scale import Scale, per_axis

Array = NDArray[np.float64]

#: Why the estimate is what it is.
Why = Literal["blurred", "sharp", "doubtful", "too_small", "no_detail", "compressed"]

# How much better than bicubic a blur must explain the spectrum, relative to what it leaves
# unexplained: SURE to be believed, DOUBTFUL to be mentioned. Of 198 quarters of ideally shrunk
# pictures 3 reach SURE; of those blurred by a Gaussian of 1.2 large pixels 65 % do. Whole pictures
# and stronger blurs are told apart better.
SURE, DOUBTFUL = 0.4, 0.15

# Added to what a model leaves unexplained, so that a nearly perfect fit is no proof by itself.
_UNEXPLAINED = 10.0

# A line must explain the spectrum so much better than a Gaussian, which fits any blur a little. A
# Gaussian narrower across than any lens (variance, square source pixels) is a line without more.
_CLEARLY = 0.5
_MIN_ACROSS = 0.12

# Where noise and rounding are more than this share of the mean block's power, nothing is seen.
_MAX_FLOOR = math.exp(-5.5)

# Stronger JPEG compression removes the high frequencies by which a blur is recognised.
_MIN_QUALITY = 92

# The expected slope of the power law and its spread; the weight that keeps directions alike.
_SLOPE, _SLOPE_SPREAD = 2.7, 0.2
_HARMONICS_WEIGHT = 3.0

# A disk may explain the spectrum so much worse than a Gaussian and is still taken: it is the
# narrower of the two, and too wide is worse than too narrow. The zeros of small disks are not seen.
_ABOUT_AS_GOOD = 4.0

# Noise beyond the known noise: its expected logarithm, relative to the known, and its weight.
_MORE_NOISE, _MORE_NOISE_WEIGHT = -3.0, 0.1

# Scale of the soft-L1 loss, nepers: frequencies that are farther off, as stripes are, count less.
_SOFT = 0.5

# From the measured to the right variance of a Gaussian: share × measured + minimum, square source
# pixels. Pictures are a little soft themselves, and too wide is worse than too narrow. Fitted on
# other pictures than those of the benches.
_VARIANCE_SHARE, _MIN_VARIANCE = 0.85, 0.055
_MAX_VARIANCE = 2.0

# A Gaussian with a smaller trace, square source pixels, is narrower than bicubic: the image has
# noise, or was sliced without any blur.
_MIN_TRACE = 0.3

# A relative change so small ends a search; searches a hundred times finer find nothing better.
_ENOUGH = 1e-4

# Lengths of motion and radii of disks that are believed, source pixels.
_LENGTHS, _RADII = (1.0, 8.0), (0.5, 3.0)

# A disk is drawn with so many points along each side of a pixel.
_FINE = 8


@dataclass(frozen=True, eq=False)
class BlurEstimate:
    """The blur of an image, as its spectrum shows it."""

    shape: Shape
    why: Why
    evidence: float  # how much better a blur explains it than bicubic; believed from SURE on
    parameters: Array  # as its BlurFamily has them; empty for bicubic

    def kernel(self, scale: Scale, phase: KernelPhase = "centred") -> Kernel | None:
        """Return the kernel for an enlargement by `scale`; None for bicubic.

        phase: where the pixels lie that were kept; the spectrum does not tell.
        """
        x_scale, y_scale = per_axis(scale)
        scales = np.array([y_scale, x_scale])
        if self.shape == "gaussian":
            return Kernel.of(_draw_gaussian(self.covariance * np.outer(scales, scales)), phase)
        if self.shape == "disk":
            return Kernel.of(_draw_disk(abs(self.parameters[0]) * scales), phase)
        if self.shape == "motion":
            return Kernel.of(_draw_line(self.parameters * scales), phase)
        return None

    @property
    def covariance(self) -> Array:
        """The (2, 2) covariance, (y, x), of a Gaussian, square source pixels."""
        values, vectors = np.linalg.eigh(covariance(self.parameters))
        values = (values * _VARIANCE_SHARE + _MIN_VARIANCE).clip(max=_MAX_VARIANCE)
        return np.asarray(vectors @ np.diag(values) @ vectors.T)

    def __str__(self) -> str:
        """Say it in words, lengths in source pixels."""
        if self.shape == "gaussian":
            narrow, wide = np.sqrt(np.linalg.eigvalsh(self.covariance))
            return f"Gaussian of {wide:.2f} × {narrow:.2f} pixels"
        if self.shape == "disk":
            return f"out of focus by {abs(self.parameters[0]):.2f} pixels"
        if self.shape == "motion":
            y, x = self.parameters
            degrees = math.degrees(math.atan2(-y, x)) % 180
            return f"moved by {math.hypot(y, x):.2f} pixels at {degrees:.0f}°"
        return "not blurred"


def estimate_blur(
    image: Tensor, *, noise_std: float = 0.0, jpeg_quality: int | None = None
) -> BlurEstimate:
    """Estimate how an image was blurred before it was sub-sampled.

    image: (C, H, W) float32, CPU, [0, 1], C 1 or 3; noise_std: of the noise in each channel, levels
    of 255; jpeg_quality: of its compression, None if there was none.
    The same image gives the same answer. 0.5 to 0.7 s on one core, whatever the size.
    """
    if jpeg_quality is not None and jpeg_quality < _MIN_QUALITY:
        return _unblurred("compressed", 0.0)
    parts = regions(luma(image)[None, None], torch.Generator().manual_seed(0))
    spectrum = Spectrum.of(
        [part[0].double().numpy() for part in parts],
        noise_variance=(noise_std / 255) ** 2 * _noise_share(image),
    )
    if spectrum is None:
        return _unblurred("too_small", 0.0)
    if spectrum.floor > _MAX_FLOOR:
        return _unblurred("no_detail", 0.0)
    plain = _fit(BICUBIC_FAMILY, spectrum)
    best = _best_blur(spectrum)
    evidence = (plain.cost - best.cost) / (best.cost + _UNEXPLAINED)
    if best.shape == "gaussian" and np.trace(covariance(best.parameters)) < _MIN_TRACE:
        return _unblurred("sharp", 0.0)
    if evidence < SURE:
        return _unblurred("doubtful" if evidence >= DOUBTFUL else "sharp", evidence)
    return BlurEstimate(best.shape, "blurred", evidence, best.parameters)


def _unblurred(why: Why, evidence: float) -> BlurEstimate:
    return BlurEstimate("bicubic", why, evidence, np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class _Explained:
    """How well a blur of one family explains a spectrum."""

    shape: Shape
    cost: float
    parameters: Array


def _best_blur(spectrum: Spectrum) -> _Explained:
    """Return the most credible of a line, a disk and a Gaussian."""
    gaussian = _fit(GAUSSIAN, spectrum)
    variances, axes = np.linalg.eigh(covariance(gaussian.parameters))
    line, disk = _fit(lines_along(axes[:, 1]), spectrum), _fit(DISK, spectrum)
    if _is_believable(line) and (
        variances[0] < _MIN_ACROSS or line.cost < min(gaussian.cost, disk.cost) - _CLEARLY
    ):
        return line
    if _is_believable(disk) and disk.cost < gaussian.cost + _ABOUT_AS_GOOD:
        return disk
    return gaussian


def _is_believable(explained: _Explained) -> bool:
    """Tell whether a line or a disk has a size that occurs."""
    least, most = _RADII if explained.shape == "disk" else _LENGTHS
    return least <= float(np.linalg.norm(explained.parameters)) <= most


def _fit(family: BlurFamily, spectrum: Spectrum) -> _Explained:
    """Return the blur of a family that explains the spectrum best, searched from all its starts."""
    level = float(np.median(spectrum.log_power + _SLOPE * spectrum.log_radius[4]))
    picture = np.array([level, 0, 0, 0, 0, _SLOPE, _MORE_NOISE])

    def residuals(parameters: Array) -> Array:
        level, harmonics, slope, more_noise = np.split(parameters[:7], (1, 5, 6))
        log_power = (
            level
            + np.tensordot(harmonics, spectrum.harmonics, axes=1)
            - slope * spectrum.log_radius
            + family.log_power(parameters[7:], spectrum)
        )
        floor = spectrum.floor * (1 + np.exp(more_noise))
        explained = np.log(np.exp(log_power).sum(axis=0) + floor)
        return np.concatenate(
            [
                explained - spectrum.log_power,
                harmonics * _HARMONICS_WEIGHT,
                (slope - _SLOPE) / _SLOPE_SPREAD,
                (more_noise - _MORE_NOISE) * _MORE_NOISE_WEIGHT,
            ]
        )

    found = [
        least_squares(
            residuals,
            np.concatenate([picture, start]),
            loss="soft_l1",
            f_scale=_SOFT,
            ftol=_ENOUGH,
            xtol=_ENOUGH,
            gtol=_ENOUGH,
            max_nfev=60,
        )
        for start in family.starts
    ]
    best = min(found, key=lambda result: float(result.cost))
    return _Explained(family.name, float(best.cost), best.x[7:])


def _noise_share(image: Tensor) -> float:
    """Return the share of the noise variance that is in the luma; channels are independent."""
    return 1.0 if image.shape[0] == 1 else float(WEIGHTS.square().sum())


def _draw_gaussian(spread: Array) -> Array:
    """Return weights of a Gaussian with a (2, 2) covariance, (y, x), square pixels."""
    radius = max(2, math.ceil(3 * math.sqrt(np.linalg.eigvalsh(spread)[-1])))
    at = np.arange(-radius, radius + 1)
    places = np.stack(np.meshgrid(at, at, indexing="ij"), axis=-1)
    inverse = np.linalg.inv(spread)
    return np.asarray(np.exp(-0.5 * np.einsum("...i,ij,...j", places, inverse, places)))


def _draw_disk(radii: Array) -> Array:
    """Return weights of an ellipse, the share of each pixel that lies in it; radii (y, x)."""
    height, width = (2 * math.ceil(radius) + 1 for radius in radii)
    y, x = ((np.arange(side * _FINE) + 0.5) / _FINE - side / 2 for side in (height, width))
    inside = (y[:, None] / radii[0]) ** 2 + (x / radii[1]) ** 2 <= 1
    return np.asarray(inside.reshape(height, _FINE, width, _FINE).mean(axis=(1, 3)))


def _draw_line(ends: Array) -> Array:
    """Return weights of a line from -ends / 2 to ends / 2, (y, x), shared among four pixels."""
    radius = math.ceil(float(np.abs(ends).max()) / 2) + 1
    at = np.arange(-radius, radius + 1)
    along = np.linspace(-0.5, 0.5, 64 * radius)
    rows, columns = (
        (1 - np.abs(at[:, None] - along * end)).clip(min=0) for end in (ends[0], ends[1])
    )
    return np.asarray(rows @ columns.T)
