"""CameraRaw: TIFFs that hold what a sensor saw, with a small preview in front of it."""

from collections.abc import Iterable
from typing import Final

from zssr_daemon.imaging.containers import TIFF_DNG_VERSION, TiffDirectory
from zssr_daemon.imaging.unread import UnreadFormat

_COMPRESSION: Final = 259
_PHOTOMETRIC: Final = 262

# What the pixels mean: one colour a pixel (colour filter array), or colours of the sensor.
_RAW_PHOTOMETRIC: Final = frozenset({32803, 34892})

# Codings of Sony, Samsung, Nikon, Kodak and Pentax, which no other TIFF has.
_RAW_COMPRESSIONS: Final = frozenset({32767, 32770, 34713, 65000, 65535})


def tiff_raw(directories: Iterable[TiffDirectory]) -> UnreadFormat | None:
    """Tell whether a TIFF of these directories, of pages and SubIFDs, is camera raw."""
    for directory in directories:
        if TIFF_DNG_VERSION in directory:
            return UnreadFormat("DNG", is_raw=True)
        meaning, coding = directory.get(_PHOTOMETRIC, ()), directory.get(_COMPRESSION, ())
        if not (_RAW_PHOTOMETRIC.isdisjoint(meaning) and _RAW_COMPRESSIONS.isdisjoint(coding)):
            return UnreadFormat("a TIFF of sensor data, such as NEF, ARW or PEF", is_raw=True)
    return None
