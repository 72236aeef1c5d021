"""CutterChild: the process that decodes pictures for the page, and cuts the shown part out of them.

It is the only process of the page that runs a decoder. It answers with bytes that hold no code: a
PNG, or a sentence that says why there is none.
"""

import io
import os
import signal
from collections import OrderedDict
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError
from zssr_daemon.imaging import comparison
from zssr_daemon.imaging.decode import load
from zssr_daemon.imaging.formats import ImageInfo, ImageLimits
from zssr_daemon.imaging.readers.content import read_file
from zssr_daemon.imaging.samples.decoded import upright
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.imaging.samples.void import Void, parse_nodata
from zssr_daemon.system.confinement import confine
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.safe_open import open_source
from zssr_daemon.web.cut_order import FAULT, PICTURE, CutOrder, PictureFile

#: Source and result of the picture that somebody looks at, and a second result beside it.
_MAX_KEPT: Final = 3

_PNG_LEVEL: Final = 1  # the picture goes over a local network once


@dataclass(frozen=True, slots=True)
class _Shown:
    """A decoded picture: (H, W, C) samples of the file's own type, upright, C = 1 to 4."""

    samples: NDArray[Any]
    icc: bytes | None
    sample_range: SampleRange | None  # None: all that the unsigned type holds


def main(connection: "Connection[Any, Any]", limits: ImageLimits) -> None:
    """Answer orders until the pipe is closed: the child's entry."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the page's
    confine(limits.decoder_bytes)
    album = _Album(limits)
    try:
        while True:
            connection.send_bytes(_answer(album, connection.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _answer(album: "_Album", order: CutOrder) -> bytes:
    try:
        return PICTURE + _png(_cut(album, order))
    except (ImageError, OSError, MemoryError) as error:
        return FAULT + (str(error) or "there is not enough memory to show it").encode()


def _cut(album: "_Album", order: CutOrder) -> Image.Image:
    result = album.picture(order.result)
    height, width = result.samples.shape[:2]
    box = _within(order.box, width, height)
    if order.source is None:
        return comparison.cut(result.samples, result.icc, result.sample_range, box)
    source = album.picture(order.source)
    return comparison.enlarged(
        source.samples, source.icc, source.sample_range, size=(width, height), box=box
    )


def _within(box: comparison.Box, width: int, height: int) -> comparison.Box:
    """Return `box` cut to a picture, or raise ImageError where they do not meet."""
    left, top, right, bottom = box
    right, bottom = min(right, width), min(bottom, height)
    if left >= right or top >= bottom:
        raise ImageError(f"this part lies outside of the picture, {width} × {height} pixels")
    return left, top, right, bottom


def _png(picture: Image.Image) -> bytes:
    with io.BytesIO() as stream:
        picture.save(
            stream, "PNG", compress_level=_PNG_LEVEL, icc_profile=picture.info["icc_profile"]
        )
        return stream.getvalue()


class _Album:
    """The pictures that were decoded last."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._kept: OrderedDict[tuple[FileIdentity, int], _Shown] = OrderedDict()

    def picture(self, file: PictureFile) -> _Shown:
        """Return a picture, decoded if it is not here yet, or if its file has changed."""
        fd = open_source(file.root, file.rel)
        try:
            key = FileIdentity.from_stat(os.fstat(fd)), file.frame
            if key not in self._kept:
                ending = os.path.splitext(file.rel)[1].lower()  # noqa: PTH122 (any bytes)
                limits = replace(self._limits, ending=ending)
                while len(self._kept) >= _MAX_KEPT:
                    self._kept.popitem(last=False)
                self._kept[key] = _decoded(read_file(fd, limits), limits, file.frame)
        finally:
            os.close(fd)
        self._kept.move_to_end(key)
        return self._kept[key]


def _decoded(data: bytes, limits: ImageLimits, frame: int) -> _Shown:
    """Decode a frame; samples that are neither colour nor alpha are not shown."""
    loaded = load(data, limits, frame)
    info = loaded.info
    bands = info.channels + (info.has_alpha and not info.extra_bands)
    samples = upright(loaded.samples, loaded.orientation)[:, :, :bands]
    return _Shown(samples, loaded.metadata.icc, _range_of(samples[:, :, : info.channels], info))


def _range_of(colours: NDArray[Any], info: ImageInfo) -> SampleRange | None:
    """Return what is black and white: for numbers that measure something, their own ends."""
    if colours.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        return None
    void = Void.of(colours, None if info.nodata is None else parse_nodata(info.nodata))
    return SampleRange.of_content(colours, None if void is None else void.is_content)
