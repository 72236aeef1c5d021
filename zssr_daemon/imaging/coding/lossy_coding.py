"""Lossy coding: with what tables a file was compressed, or with what tables a JPEG is like it."""

import struct
from collections.abc import Callable
from typing import Final

from zssr_daemon.imaging.coding.avif_coding import read_avif_step
from zssr_daemon.imaging.coding.jpeg_coding import read_jpeg_tables
from zssr_daemon.imaging.coding.webp_coding import read_webp_step
from zssr_daemon.imaging.formats import HEAD_BYTES, sniff_format
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables

_STEPS: Final[dict[str, tuple[str, Callable[[bytes], float | None]]]] = {
    "WEBP": ("WebP", read_webp_step),
    "AVIF": ("AVIF", read_avif_step),
}

# Compression with finer steps than this, levels, does less harm than giving up back-projection.
MIN_STEP: Final = 8.0


def read_tables(data: bytes) -> JpegTables | None:
    """Return the tables of a file that was decoded before; None if it is lossless, or nearly so.

    Of a JPEG they are its own. What WebP and AVIF do to a picture is likened to a JPEG whose steps
    are as large on the average: theirs are the same for all frequencies.
    """
    format_name = sniff_format(data[:HEAD_BYTES])
    if format_name not in _STEPS:
        return read_jpeg_tables(data)
    codec, read_step = _STEPS[format_name]
    try:
        step = read_step(data)
    except (IndexError, KeyError, StopIteration, struct.error):
        return None
    return None if step is None or step < MIN_STEP else JpegTables.of_step(step, codec)
