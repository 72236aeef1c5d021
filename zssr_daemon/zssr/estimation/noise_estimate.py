"""NoiseEstimate: how strong the noise of an image is, and how it is spread.

White noise is measured in the flattest blocks, by their high frequencies, less what the picture
itself has there. Noise of another shape is told from fine detail by its colours, which hold little
detail, or by its spectrum, which is flatter than any picture's.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.degradation import MAX_NOISE_STD
from zssr_daemon.zssr.degradation.noise_shape import KNOTS, WHITE, NoiseShape
from zssr_daemon.zssr.estimation.noise_spectrum import (
    MIN_BLOCKS,
    NoiseSpectrum,
    PlaneSpectrum,
    flattest_count,
)
from zssr_daemon.zssr.ops.dct import SIDE, blocks, transform

# Weaker noise, levels of 255, counts as none: the finest texture of clean pictures looks like noise
# of at most 0.6, and to remove noise of 1 was measured to be worth nothing.
MIN_NOISE_STD = 1.5

# Noise is everywhere: hardly one block in a hundred has less than MIN_SHARE of the noise's energy
# in its high frequencies, even if the image was compressed since. Where more blocks have less, the
# flattest blocks hold a fine texture.
RARE, MIN_SHARE = 0.01, 0.15

# About so many blocks are looked at, whatever the size of the image.
MAX_BLOCKS = 20_000

# Noise that is not white is looked for where brightness has at least so much, levels of 255, in the
# last band of frequencies and the one before it: clean pictures with fine detail everywhere aside,
# they have less.
MIN_FINEST, MIN_FINE = 1.8, 2.3

# White noise is this flat: its third band over its last, at most; where one plane is, a colour that
# holds detail may be a little steeper.
MAX_WHITE_SLOPE, MAX_DOUBTFUL_SLOPE = 1.2, 1.35

# Brightness alone shows noise where its spectrum is flatter than that of a picture: the second band
# over the fourth, and the first over the second; and where the flattest blocks are alike, and the
# next ones too.
MAX_SLOPE, MAX_PLATEAU, MAX_SPREAD, MAX_GROWTH = 2.2, 1.35, 1.2, 1.25

# Compression takes the finest waves. What is left shows noise if the first three bands are alike,
# and have at least so much.
MIN_COARSE = 2.5

# Colours show noise where their third band is little above the last, which is at least so strong.
MIN_COLOUR, MAX_COLOUR_SLOPE = 0.9, 1.45

# Where brightness holds more than noise, the noise in it is at most so much of the strongest of its
# two colours' finest band: that of a demosaicked picture, band by band.
_DEMOSAICKED = tuple(2.2 * share for share in (2.3, 2.2, 2.0, 1.65, 1.0))

# From one band to the next lower one the noise of a colour grows by at most so much. What is weaker
# than _LEAST, levels of 255, is rounding.
_MAX_STEP, _LEAST = 1.85, 0.25

# Both colours of white noise, or of noise that was shrunk, differ by less than this factor; those
# of a camera by two.
_ALIKE = 1.35

# White noise that all three planes hold counts where it is so much above what channels show.
_HIDDEN = 1.15

# Variance that differs less than this between dark and bright counts as constant.
_MIN_CONTRAST = 1.5

_FREQUENCY = torch.arange(SIDE)[:, None] + torch.arange(SIDE)
_LOW = (_FREQUENCY >= 1) & (_FREQUENCY <= 5)
_MIDDLE = (_FREQUENCY >= 6) & (_FREQUENCY <= 8)
_HIGH = _FREQUENCY >= 9


class MeasuredNoise(NamedTuple):
    """The noise of an image."""

    std: float  # levels of 255; 0: none
    shape: NoiseShape = WHITE


def estimate_noise(image: Tensor) -> MeasuredNoise:
    """Return the noise of (C, H, W) float32 in [0, 1], C 1 or 3.

    None where it is too weak to be worth it, or where nothing can be measured. The same image
    gives the same result.
    """
    white_std = estimate_white_noise_std(image)
    spectrum = NoiseSpectrum.of(image)
    if spectrum is None:
        return MeasuredNoise(white_std)
    planes = spectrum.planes
    std = _std_of_white(planes, white_std)
    stds = [(std,) * len(KNOTS)] * len(planes) if std > 0 else _coloured_stds(planes)
    return _shaped(stds, spectrum) if stds else MeasuredNoise(white_std)


def estimate_noise_std(image: Tensor) -> float:
    """Return the standard deviation of that noise, levels of 255."""
    return estimate_noise(image).std


def estimate_white_noise_std(image: Tensor) -> float:
    """Return the standard deviation of noise that is known to be white, levels of 255.

    image: as in `estimate_noise`. 0 where there is none, or where nothing can be measured.
    """
    step = max(4, math.isqrt(image.numel() // MAX_BLOCKS))
    looked_at = blocks(image, step)
    lowest, highest = looked_at.amin(dim=(1, 2)), looked_at.amax(dim=(1, 2))
    whole = looked_at[(lowest > 0) & (highest < 1)]  # clipping makes noise weaker
    if len(whole) < MIN_BLOCKS:
        return 0.0
    energy = transform(whole * 255).square()
    flattest = energy[:, _LOW].mean(dim=1).argsort(stable=True)[: flattest_count(len(whole))]
    middle, high = (
        float(energy[flattest][:, part].mean(dim=1).median()) for part in (_MIDDLE, _HIGH)
    )
    # White noise is as strong in both; the picture is weaker in the high ones.
    variance = high - max(0.0, middle - high)
    least = float(energy[:, _HIGH].mean(dim=1).quantile(RARE))
    std = math.sqrt(max(0.0, variance))
    is_noise = std >= MIN_NOISE_STD and least >= MIN_SHARE * variance
    return min(round(std, 2), MAX_NOISE_STD) if is_noise else 0.0


def _std_of_white(planes: tuple[PlaneSpectrum, ...], measured: float) -> float:
    """Return the standard deviation of white noise, 0 if what there is is not white.

    measured: by all channels at once. Where detail hid a part of it, colours still show all.
    """
    telling = [each for each in planes if each.stds[4] >= MIN_COLOUR]
    slopes = [each.stds[2] / each.stds[4] for each in telling]
    if not telling or min(slopes) > MAX_WHITE_SLOPE:
        return 0.0
    _, *colours = planes
    if not colours:
        return measured
    if max(slopes[1:], default=0) > MAX_DOUBTFUL_SLOPE or not _are_alike(colours):
        return 0.0
    level = min((each.stds[3] + each.stds[4]) / 2 for each in planes)
    is_more = level >= MIN_NOISE_STD and level > _HIDDEN * measured
    return round(level, 2) if is_more else measured


def _are_alike(colours: Sequence[PlaneSpectrum]) -> bool:
    """Return whether the finest waves of both colours are equally strong, or there are none."""
    finest = [each.stds[4] for each in colours]
    return max(finest) <= _ALIKE * min(finest)


def _are_grey(colours: Sequence[PlaneSpectrum]) -> bool:
    """Return whether there are no colours, or nothing in them."""
    return max((each.stds[0] for each in colours), default=0.0) < _LEAST


def _coloured_stds(planes: tuple[PlaneSpectrum, ...]) -> list[tuple[float, ...]]:
    """Return the noise of each plane at KNOTS, levels of 255; empty where there is none."""
    luma, *colours = planes
    is_cut = _is_noise_cut_off(luma)
    if not is_cut and (luma.stds[4] < MIN_FINEST or luma.stds[3] < MIN_FINE):
        return []
    is_bare = is_cut or _is_noise_alone(luma)
    strongest = max(colours, key=lambda each: each.stds[4], default=None)
    if strongest is None or not _is_noise_of_colour(strongest):
        # A texture can look like noise in brightness. Noise without colour is believed in grey, and
        # where a JPEG took the colours' fine waves and those of brightness.
        is_compressed = is_cut and luma.stds[4] <= luma.stds[2] / 2
        if not (is_bare if _are_grey(colours) else is_compressed):
            return []
    elif not is_bare and _are_alike(colours):
        # No camera gave this noise its colours: it is the same in all three.
        alike = tuple(map(min, *(each.stds for each in planes)))
        return [alike] * 3
    elif not is_bare:
        most = [strongest.stds[4] * share for share in _DEMOSAICKED]
        luma = replace(luma, stds=tuple(map(min, luma.stds, most)))
    return [luma.stds, *(_without_detail(each.stds, luma.stds) for each in colours)]


def _is_noise_alone(luma: PlaneSpectrum) -> bool:
    """Return whether the flattest blocks hold noise and no detail."""
    return (
        luma.stds[4] / MAX_SLOPE <= luma.stds[1] <= MAX_SLOPE * luma.stds[3]
        and luma.stds[0] <= MAX_PLATEAU * luma.stds[1]
        and sum(luma.spread) / len(luma.spread) <= MAX_SPREAD
        and max(luma.growth[:3]) <= MAX_GROWTH
    )


def _is_noise_cut_off(luma: PlaneSpectrum) -> bool:
    """Return whether the coarse waves are noise and no detail, whatever a JPEG left of the fine."""
    coarse = luma.stds[:3]
    return (
        min(coarse) >= MIN_COARSE
        and max(coarse) <= MAX_PLATEAU * min(coarse)
        and sum(luma.spread[:3]) / 3 <= MAX_SPREAD
        and max(luma.growth[:3]) <= MAX_GROWTH
    )


def _is_noise_of_colour(colour: PlaneSpectrum) -> bool:
    finest = colour.stds[4]
    return finest >= MIN_COLOUR and colour.stds[2] <= MAX_COLOUR_SLOPE * finest


def _without_detail(colour: tuple[float, ...], luma: tuple[float, ...]) -> tuple[float, ...]:
    """Return the noise of a colour: never above that of brightness, and no steeper than noise."""
    second = min(colour[1], _MAX_STEP * colour[2])
    first = min(colour[0], _MAX_STEP * second)
    stds = (first, second, *colour[2:])
    return tuple(max(_LEAST, min(each, most)) for each, most in zip(stds, luma, strict=True))


def _shaped(stds: list[tuple[float, ...]], spectrum: NoiseSpectrum) -> MeasuredNoise:
    """Return the noise of these planes, its dependence on brightness measured as well."""
    is_white = len(set(stds)) == 1 and len(set(stds[0])) == 1
    variances = NoiseShape(tuple(stds)).stds(len(stds)).square().reshape(-1, SIDE, SIDE)
    telling = [at for at, each in enumerate(spectrum.planes) if each.stds[4] >= MIN_COLOUR]
    # Detail that other planes tell from noise in colour, may weigh as much as weak noise in grey.
    is_sure = len(telling) > 1 or math.sqrt(float(variances.mean())) >= 2 * MIN_NOISE_STD
    curve = spectrum.by_brightness(variances, telling) if telling and is_sure else ()
    if curve and max(curve) < _MIN_CONTRAST * min(curve):
        curve = ()
    mean = spectrum.mean_over_brightness(curve) if curve else 1.0
    std = math.sqrt(float(variances.mean()) * mean)
    relative = (
        () if is_white else tuple(tuple(s * math.sqrt(mean) / std for s in each) for each in stds)
    )
    shape = NoiseShape(relative, tuple(each / mean for each in curve))
    return MeasuredNoise(min(round(std, 2), MAX_NOISE_STD), shape)
