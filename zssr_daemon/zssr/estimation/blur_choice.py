"""BlurChoice: the blur to assume, the one that loses least over all that an image leaves open.

Each family that explains the spectrum has a chance, and each size near the one that explains it
best. For every blur that may be assumed, what it would lose is weighed by these chances. So where
families disagree a narrower blur is assumed, or bicubic: too wide costs more than too narrow, and
a Gaussian for a disk costs 2 dB.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.zssr.estimation.blur_family import Shape, covariance, parameters_of
from zssr_daemon.zssr.estimation.blur_fit import BlurFit
from zssr_daemon.zssr.estimation.blur_loss import Blurring, losses_db

Array = NDArray[np.float64]

#: Added to what a model leaves unexplained, so that a nearly perfect fit is no proof by itself.
UNEXPLAINED = 10.0

# The logarithm of a family's chance falls by this much times the logarithm of what it leaves
# unexplained. That of bicubic is raised, since soft pictures look blurred, and a little that of a
# disk, since a disk behind soft pictures looks like a Gaussian; that of motion is lowered, since a
# narrow Gaussian looks like a short line. Fitted on wallpapers, ideal and blurred in five ways.
_STEEPNESS = 20.0
_LIKELIER: Mapping[Shape, float] = {"bicubic": 4.0, "disk": 1.0, "motion": -1.0}

# What is lost against bicubic counts so many times more: nobody asked for it.
_REGRET = 4.0

# From the measured to the likely logarithm of a Gaussian's variance: more, and this times the tilt
# of the fit. A picture that is softer than most pulls the fit off in high frequencies; this takes a
# fifth off the error of wallpapers, and a quarter off its loss on Set14.
_MORE, _TILTED = -0.04, -0.45

# The variances that are assumed of a Gaussian along its axes, square source pixels.
_VARIANCES = (0.03, 2.0)

# The standard deviation of the logarithm of what is measured: a Gaussian's variance, the radius of
# a disk, the length of a line.
_SPREADS: Mapping[Shape, float] = {"gaussian": 0.15, "disk": 0.03, "motion": 0.03}

# The sizes that are weighed, in standard deviations.
_STEPS = np.linspace(-2, 2, 7)

# What may be assumed of the measured size.
_SHARES: Mapping[Shape, Array] = {
    "gaussian": np.exp([-1.2, -0.9, -0.7, -0.5, -0.35, -0.25, -0.15, -0.07, 0, 0.08]),
    "disk": np.array([0.7, 0.8, 0.88, 0.94, 1]),
    "motion": np.array([0.7, 0.8, 0.88, 0.94, 1]),
}

# Sizes that are believed, source pixels: the trace of a Gaussian's covariance, square pixels; the
# radius of a disk; the length of a line. A narrower Gaussian is noise, or an image that was sliced
# without any blur.
_SIZES: Mapping[Shape, tuple[float, float]] = {
    "gaussian": (0.15, 4.0),
    "disk": (0.5, 3.0),
    "motion": (1.0, 8.0),
}

# A Gaussian is a line that is narrower across than this, square pixels, and than this share of its
# variance along it.
_MIN_ACROSS, _MIN_ROUNDNESS = 0.12, 0.2

# The standard deviation by which the pixels of the large image soften a disk, source pixels.
_PIXEL = 0.144

_BICUBIC: Blurring = ("bicubic", np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class BlurChoice:
    """A blur to assume, and what is expected of it."""

    shape: Shape
    parameters: Array  # as its BlurFamily has them
    evidence: float  # how much better a blur explains the spectrum than bicubic
    chance: float  # that it was blurred at all
    gain_db: float  # expected against bicubic

    @classmethod
    def of(cls, fits: list[BlurFit]) -> "BlurChoice":
        """Choose by how the families explain an image; bicubic must be the first."""
        chances = _chances(fits)
        truths, weights = [_BICUBIC], [chances[:1]]
        assumed = [_BICUBIC]
        bell = np.exp(-(_STEPS**2) / 2)
        for fit, chance in zip(fits[1:], chances[1:], strict=True):
            spreads = np.exp(_SPREADS[fit.shape] * _STEPS)
            truths += [_sized(fit, spread) for spread in spreads]
            weights.append(chance * bell / bell.sum())
            assumed += [_sized(fit, share) for share in _SHARES[fit.shape]]
        losses = losses_db(truths, assumed)
        regrets = (losses - losses[:, :1]).clip(min=0)
        expected = np.concatenate(weights) @ (losses + _REGRET * regrets)
        best = int(expected.argmin())
        shape, parameters = assumed[best]
        return cls(
            shape=shape,
            parameters=parameters,
            evidence=_evidence(fits),
            chance=float(1 - chances[0]),
            gain_db=float(np.concatenate(weights) @ (losses[:, 0] - losses[:, best])),
        )


def _evidence(fits: list[BlurFit]) -> float:
    plain = fits[0].cost
    best = min((fit.cost for fit in fits[1:] if _is_believable(fit)), default=plain)
    return (plain - best) / (best + UNEXPLAINED)


def _chances(fits: list[BlurFit]) -> Array:
    """Return the chance of each family."""
    costs = np.array([fit.cost for fit in fits])
    logs = -_STEEPNESS * np.log(costs + UNEXPLAINED)
    logs += [_LIKELIER.get(fit.shape, 0.0) for fit in fits]
    logs[[not _is_believable(fit) for fit in fits]] = -np.inf
    chances = np.exp(logs - logs.max())
    return np.asarray(chances / chances.sum())


def _is_believable(fit: BlurFit) -> bool:
    """Tell whether a blur has a size that occurs."""
    if fit.shape == "bicubic":
        return True
    least, most = _SIZES[fit.shape]
    return least <= _size(fit) <= most and not _is_a_line(fit)


def _is_a_line(fit: BlurFit) -> bool:
    """Tell whether a Gaussian is so long and thin that only motion can have made it."""
    if fit.shape != "gaussian":
        return False
    across, along = np.linalg.eigvalsh(covariance(fit.parameters))
    return bool(across < min(_MIN_ACROSS, _MIN_ROUNDNESS * along))


def _size(fit: BlurFit) -> float:
    if fit.shape == "gaussian":
        return float(np.trace(covariance(fit.parameters)))
    if fit.shape == "disk":
        return float(abs(fit.parameters[0]))
    return float(np.linalg.norm(fit.parameters))


def _sized(fit: BlurFit, share: float) -> Blurring:
    """Return the likely blur of a family, `share` times its size: of its variance, if Gaussian."""
    if fit.shape == "disk":
        return fit.shape, np.array([abs(fit.parameters[0]) * share, _PIXEL])
    if fit.shape == "motion":
        return fit.shape, fit.parameters * share
    values, vectors = np.linalg.eigh(covariance(fit.parameters))
    likely = values * np.exp(_MORE + _TILTED * fit.tilt) * share
    return fit.shape, parameters_of(vectors @ np.diag(likely.clip(*_VARIANCES)) @ vectors.T)
