"""BlurLoss: what it costs to undo another blur than the one that an image suffered, in dB.

What a network learns for a blur is modelled as the filter that undoes it best where a picture's
power falls with frequency by a power law over even noise (Wiener 1949). Applied to an image that
suffered another blur, it leaves an error in each frequency. Noise, slope and what no filter brings
back were fitted to measured fits, to half a decibel: the table "What a mistake costs" in
bench/EXPLORED.md.
"""

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.zssr.estimation.blur_family import FAMILIES, Shape

Array = NDArray[np.float64]

#: A blur: its shape, and the parameters as its BlurFamily has them.
Blurring = tuple[Shape, Array]

# Frequencies in half of the plane that the source holds; the other half is equal.
_POINTS = 32
_AXIS = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
_Y, _X = (axis[:, _POINTS // 2 :].ravel() for axis in np.meshgrid(_AXIS, _AXIS, indexing="ij"))

# The power of a picture falls with this power of the frequency.
_SLOPE = 3.9

# Noise that the filter allows for, relative to the picture at its weakest frequency; and the share
# of it that an image has.
_NOISE, _NOISE_SHARE = 10**-1.7, 0.26

# The error that is left however well a blur is known, relative to the power of the picture.
_LEFT = 10**-3.3


def _powers() -> Array:
    power = np.maximum(np.hypot(_Y, _X), 0.02) ** -_SLOPE
    return np.asarray(power / power.sum())


_POWER = _powers()
_FLOOR = _NOISE * _POWER.min() / _POWER


def losses_db(truths: list[Blurring], assumed: list[Blurring]) -> Array:
    """Return (truths, assumed) how many decibels worse than the truth itself each one assumed is.

    Lengths are source pixels.
    """
    responses, filters = _responses(truths), _filters(_responses(assumed))
    errors = _errors(responses[:, None], filters[None])
    least = _errors(responses, _filters(responses))
    return np.asarray(10 * np.log10(errors / least[:, None]))


def _responses(blurs: list[Blurring]) -> Array:
    """Return (blurs, n) what each leaves of the amplitude."""
    return np.stack([FAMILIES[shape].response(parameters, _Y, _X) for shape, parameters in blurs])


def _filters(responses: Array) -> Array:
    """Return what undoes each of them, in the mean."""
    return np.asarray(responses / (responses**2 + _FLOOR))


def _errors(responses: Array, filters: Array) -> Array:
    """Return the power of the error, the last axis summed."""
    wrong = np.square(responses * filters - 1)
    noise = _NOISE_SHARE * _FLOOR * np.square(filters)
    return np.asarray(((wrong + noise) * _POWER).sum(axis=-1) + _LEFT)
