"""BlurEstimate: whether an image was blurred before it was sub-sampled, and how, from its pixels.

Four models explain the image's spectrum: that of a natural picture (a power law of unknown slope,
stronger in some directions) times what bicubic, a Gaussian, a disk or a line leaves of it. What is
assumed is what loses least over all that they leave open: to remove a blur that is not there costs
up to 9 dB, to leave one that is there costs 1 to 6 dB.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from zssr_daemon.zssr.config import KernelPhase
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.degradation.jpeg import quantisation_steps
from zssr_daemon.zssr.estimation.blur_choice import BlurChoice
from zssr_daemon.zssr.estimation.blur_drawing import draw_disk, draw_gaussian, draw_line
from zssr_daemon.zssr.estimation.blur_family import (
    BICUBIC_FAMILY,
    DISK,
    GAUSSIAN,
    Shape,
    covariance,
    lines_along,
)
from zssr_daemon.zssr.estimation.blur_fit import BlurFit
from zssr_daemon.zssr.estimation.spectrum import Spectrum, luma_noise_variance, luma_parts
from zssr_daemon.zssr.scale import Scale, per_axis

Array = NDArray[np.float64]

#: Why the estimate is what it is.
Why = Literal["blurred", "sharp", "doubtful", "too_small", "no_detail", "compressed"]

# From this chance on that an image was blurred, one that is taken for sharp counts as doubtful.
_DOUBTFUL = 0.3

# Where noise and rounding are more than this share of the mean block's power, nothing is seen; nor
# where rounding alone is more than that share: a picture so faint is soft of itself.
_MAX_FLOOR, _MAX_ROUNDING = math.exp(-5.5), 0.001

# JPEG removes the high frequencies by which a blur is recognised. It is looked for down to this
# quality, where so many frequencies are left.
_MIN_QUALITY, _MIN_FREQUENCIES = 75, 100


@dataclass(frozen=True, eq=False)
class BlurEstimate:
    """The blur of an image, as its spectrum shows it."""

    shape: Shape
    why: Why
    parameters: Array  # as its BlurFamily has them; empty for bicubic
    evidence: float = 0.0  # how much better a blur explains it than bicubic
    gain_db: float = 0.0  # expected against bicubic

    def kernel(self, scale: Scale, phase: KernelPhase = "centred") -> Kernel | None:
        """Return the kernel for an enlargement by `scale`; None for bicubic.

        phase: where the pixels lie that were kept; the spectrum does not tell.
        """
        x_scale, y_scale = per_axis(scale)
        scales = np.array([y_scale, x_scale])
        if self.shape == "gaussian":
            return Kernel.of(draw_gaussian(self.covariance * np.outer(scales, scales)), phase)
        if self.shape == "disk":
            return Kernel.of(draw_disk(abs(self.parameters[0]) * scales), phase)
        if self.shape == "motion":
            return Kernel.of(draw_line(self.parameters * scales), phase)
        return None

    @property
    def covariance(self) -> Array:
        """The (2, 2) covariance, (y, x), of a Gaussian, square source pixels."""
        return covariance(self.parameters)

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
    The same image gives the same answer. About 0.3 s on one core, whatever the size.
    """
    if jpeg_quality is not None and jpeg_quality < _MIN_QUALITY:
        return _unblurred("compressed")
    spectrum = Spectrum.of(
        [part.double().numpy() for part in luma_parts(image)],
        noise_variance=luma_noise_variance(image, noise_std),
        steps=None if jpeg_quality is None else _steps(jpeg_quality),
    )
    if spectrum is None:
        return _unblurred("too_small")
    if len(spectrum.floor) < _MIN_FREQUENCIES:
        return _unblurred("compressed")
    if spectrum.floor.min() > _MAX_FLOOR or spectrum.rounding > _MAX_ROUNDING:
        return _unblurred("no_detail")
    choice = BlurChoice.of(_fits(spectrum))
    if choice.shape == "bicubic":
        why: Why = "doubtful" if choice.chance > _DOUBTFUL else "sharp"
        return _unblurred(why, choice.evidence)
    return BlurEstimate(choice.shape, "blurred", choice.parameters, choice.evidence, choice.gain_db)


def _unblurred(why: Why, evidence: float = 0.0) -> BlurEstimate:
    return BlurEstimate("bicubic", why, np.empty(0), evidence)


def _fits(spectrum: Spectrum) -> list[BlurFit]:
    """Return how each family explains it: bicubic first; lines along the Gaussian's long axis."""
    gaussian = BlurFit.of(GAUSSIAN, spectrum)
    _, axes = np.linalg.eigh(covariance(gaussian.parameters))
    others = (DISK, lines_along(axes[:, 1]))
    plain = BlurFit.of(BICUBIC_FAMILY, spectrum)
    return [plain, gaussian, *(BlurFit.of(family, spectrum) for family in others)]


def _steps(jpeg_quality: int) -> Array:
    """Return the (8, 8) steps of the brightness, the image in [0, 1]."""
    return np.asarray(quantisation_steps(jpeg_quality).double().numpy() / 255)
