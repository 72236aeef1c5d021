"""CutJpeg: a JPEG without its end, completed so that the part that is there can be decoded."""

import random
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import jpeg_segments
from zssr_daemon.imaging.pillow import open_picture

_END: Final = b"\xff\xd9"

# Start-of-frame markers of progressive JPEGs.
_PROGRESSIVE: Final = frozenset({b"\xc2", b"\xc6", b"\xca", b"\xce"})

# Coded data of no meaning: after it, a decoder is in any case somewhere else than without it.
_RUBBISH: Final = bytes(random.Random(1).randrange(1, 255) for _ in range(4096))  # noqa: S311


def completed(data: bytes, notes: list[str]) -> bytes:
    """Return the JPEG with an end marker, and note how much of it is missing.

    The decoder fills missing rows with grey. Zeros at the end count as missing: they were
    reserved for a copy that did not come. Raises ImageError (`truncated`) where no row is there;
    for a damaged file what Pillow raises.
    """
    content = _without_half_segment(_without_zeros(data))
    whole = content + _END
    if any(part.name in _PROGRESSIVE for part in jpeg_segments(data)):
        notes.append("the file is cut: its end marker is missing, and details may be")
        return whole
    pixels = _pixels(whole)
    known = _equal_rows(pixels, _pixels(content + _RUBBISH + _END))
    if known == 0:
        raise ImageError("the file ends before its first row", reason=Reason.TRUNCATED)
    missing = len(pixels) - known
    what = f"the last {missing} of {len(pixels)} rows are" if missing else "only its end marker is"
    notes.append(f"the file is cut: {what} missing")
    return whole


def _without_zeros(data: bytes) -> bytes:
    """Return the data without zeros at its end, and without half a marker.

    In coded data 0xff is followed by a zero, which belongs to it.
    """
    content = data.rstrip(b"\0")
    if not content.endswith(b"\xff"):
        return content
    return content + b"\0" if len(content) < len(data) else content[:-1]


def _without_half_segment(data: bytes) -> bytes:
    """Return the data without a table or a scan's header at its end that is not complete.

    Between the scans of a progressive JPEG lie such segments; in coded data they cannot occur.
    """
    start = max(data.rfind(b"\xff\xc4"), data.rfind(b"\xff\xda"))
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    is_whole = start < 0 or start + 2 + max(length, 2) <= len(data)
    return data if is_whole else data[:start]


def _pixels(data: bytes) -> NDArray[np.uint8]:
    with open_picture(data, ["JPEG"]) as picture:
        return np.asarray(picture)


def _equal_rows(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> int:
    """Return how many rows from the top are equal."""
    differs = (first != second).reshape(len(first), -1).any(axis=1)
    return int(differs.argmax()) if differs.any() else len(first)
