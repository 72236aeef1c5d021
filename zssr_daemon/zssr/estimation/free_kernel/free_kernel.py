"""FreeKernel: the blur of an image whose picture moved along a bent or uneven path, as estimated.

It is looked for beside the blurs of fixed shape, and must be far more credible than any of them:
its path has six numbers, which explain many a spectrum a little better. Besides, both halves of the
image must show the same path, and its parts must agree on which way round it lies.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from zssr_daemon.zssr.config import KernelPhase
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.estimation.blur_choice import UNEXPLAINED
from zssr_daemon.zssr.estimation.blur_estimate import BlurEstimate, Why
from zssr_daemon.zssr.estimation.blur_family import BICUBIC_FAMILY, DISK, GAUSSIAN, BlurFamily
from zssr_daemon.zssr.estimation.free_kernel.motion_path import TERMS, MotionPath, PathResponse
from zssr_daemon.zssr.estimation.free_kernel.spectrum_fit import Explained, SpectrumFit
from zssr_daemon.zssr.estimation.free_kernel.turn import GRID, turn_evidence
from zssr_daemon.zssr.estimation.spectrum import Spectrum, luma_noise_variance, luma_parts
from zssr_daemon.zssr.scale import Scale, per_axis

Array = NDArray[np.float64]

#: How much better than any other blur a path must explain the spectrum, relative to what it leaves
#: unexplained. Of 39 pictures that were ideal, out of focus or blurred by a Gaussian one reaches
#: it, and its halves do not agree.
CLEARLY = 0.2

# The likeness that the paths of both halves must have with that of the whole.
_ALIKE = 0.8

# The evidence that tells a path from the same turned by 180 degrees, and the likeness of the two
# from which on it does not matter which of them is taken.
_DECIDED, _EITHER = 2.0, 0.95

# The likeness to its own straight line from which on a path adds nothing to a straight motion.
_STRAIGHT = 0.99

# The longest path that is believed, source pixels.
_MAX_LENGTH = 8.0

# Paths to search from: lengths, source pixels, directions, and bends, relative to the length.
_LENGTHS, _DIRECTIONS, _BENDS = (1.8, 3.0, 4.5), 8, (0.1, 0.3)

# How little a large second or third term is expected: weight of one source pixel as a residual.
_TERM_WEIGHTS = (0.0, 1.0, 2.25)


@dataclass(frozen=True, slots=True, eq=False)
class FreeKernel:
    """A path that was found, with the members of a `BlurEstimate` of another shape."""

    path: MotionPath
    evidence: float  # how much better it explains the spectrum than a blur of any fixed shape

    why: Why = "blurred"

    def kernel(self, scale: Scale, phase: KernelPhase = "centred") -> Kernel:
        """Return the kernel on the grid that is `scale` times as fine as the source's.

        phase: where the pixels lie that were kept; no estimate tells.
        """
        x_scale, y_scale = per_axis(scale)
        return Kernel.of(self.path.weights((y_scale, x_scale)), phase)

    def __str__(self) -> str:
        """Say it in words, lengths in source pixels."""
        return f"moved along a path of {self.path.length:.2f} pixels"


def estimate_free_kernel(
    image: Tensor, fixed: BlurEstimate, *, noise_std: float = 0.0
) -> FreeKernel | None:
    """Estimate along which path the picture moved; None where that is not the clear explanation.

    image: (C, H, W) float32, CPU, [0, 1], C 1 or 3; fixed: the estimate of a blur of a fixed shape;
    noise_std: of the noise in each channel, levels of 255.
    The same image gives the same answer. 1 s on one core, 2 s where a path is found, whatever the
    size.
    """
    if fixed.why in ("too_small", "no_detail", "compressed"):
        return None
    parts = luma_parts(image)
    planes = [part.double().numpy() for part in parts]
    noise_variance = luma_noise_variance(image, noise_std)
    spectrum = Spectrum.of(planes, noise_variance)
    if spectrum is None:
        return None
    cost, path = _best_path(spectrum, TERMS)
    evidence = (_rival_cost(spectrum, cost) - cost) / (cost + UNEXPLAINED)
    if evidence < CLEARLY or path.length > _MAX_LENGTH:
        return None
    if fixed.shape == "motion" and path.likeness(MotionPath(path.terms[:, :1])) > _STRAIGHT:
        return None
    if not _halves_agree(planes, path, noise_variance):
        return None
    upright = _upright(parts, path)
    return None if upright is None else FreeKernel(upright, evidence)


def _best_path(spectrum: Spectrum, terms: int) -> tuple[float, MotionPath]:
    """Return the path of so many terms that explains a spectrum best, and its cost."""
    weights = np.tile(_TERM_WEIGHTS[:terms], 2)
    fit = SpectrumFit(spectrum, PathResponse(spectrum, terms), weights)
    best = fit.search(_paths(terms))
    return best.cost, MotionPath(best.parameters.reshape(2, terms))


def _paths(terms: int) -> Iterator[Array]:
    """Return paths to search from, as the parameters of a fit."""
    for length in _LENGTHS:
        for angle in np.arange(_DIRECTIONS) * math.pi / _DIRECTIONS:
            for bend in _BENDS if terms > 1 else (0.0,):
                path = np.zeros((2, max(terms, 2)))
                path[:, 0] = length / 2 * np.array([math.sin(angle), math.cos(angle)])
                path[:, 1] = length * bend * np.array([-math.cos(angle), math.sin(angle)])
                yield path[:, :terms].ravel()


def _rival_cost(spectrum: Spectrum, enough: float) -> float:
    """Return the cost of the best blur of a fixed shape, or of the first that is below `enough`."""
    cost, _ = _best_path(spectrum, 1)
    for family in (GAUSSIAN, DISK, BICUBIC_FAMILY):
        if cost <= enough:
            break
        cost = min(cost, _best_of(family, spectrum).cost)
    return cost


def _best_of(family: BlurFamily, spectrum: Spectrum) -> Explained:
    """Return the blur of a family that explains a spectrum best."""

    def response(parameters: Array) -> tuple[Array, Array]:
        return family.log_power_and_changes(parameters, spectrum.y, spectrum.x)

    count = len(family.starts[0])
    return SpectrumFit(spectrum, response, np.zeros(count)).search(map(np.array, family.starts))


def _halves_agree(planes: list[Array], path: MotionPath, noise_variance: float) -> bool:
    """Tell whether each half of the planes (h, w), by itself, shows about this path."""
    halves = [np.array_split(plane, 2, axis=int(np.argmax(plane.shape))) for plane in planes]
    for half in zip(*halves, strict=True):
        spectrum = Spectrum.of(list(half), noise_variance)
        if spectrum is None:
            return False
        _, found = _best_path(spectrum, TERMS)
        if max(found.likeness(path), found.likeness(path.turned)) < _ALIKE:
            return False
    return True


def _upright(planes: list[Tensor], path: MotionPath) -> MotionPath | None:
    """Return the path or the same turned by 180 degrees; None if the (h, w) do not tell."""
    evidence = turn_evidence(planes, path.weights((GRID, GRID)))
    if abs(evidence) < _DECIDED and path.likeness(path.turned) < _EITHER:
        return None
    return path if evidence > 0 else path.turned
