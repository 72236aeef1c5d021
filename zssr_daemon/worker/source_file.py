"""SourceFile: the file that an order names, read once however many frames it has."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from zssr_daemon.imaging import decode
from zssr_daemon.imaging.coding.lossy_coding import read_tables
from zssr_daemon.imaging.formats import CONFINED_FORMATS
from zssr_daemon.imaging.readers.content import format_of, read_file
from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.safe_open import open_known_source
from zssr_daemon.worker.confined.decoder import count_frames_confined, decode_confined
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables


@contextmanager
def as_private_as_source(order: WorkOrder) -> Iterator[None]:
    """Let files made in the block be open to nobody else whom the source is closed to.

    A source that nothing is known of counts as closed; reading it then says what is wrong.
    """
    try:
        mode = os.lstat(os.path.join(order.inbox, order.src_rel)).st_mode  # noqa: PTH118 (any bytes)
    except OSError:
        mode = 0
    before = os.umask(0o077)
    try:
        os.umask(before | (0o066 & ~mode))
        yield
    finally:
        os.umask(before)


class SourceFile:
    """Reads the file at the first call that needs it, and drops it when the last frame is decoded.

    All methods raise ImageError (SourceChangedError where it is not the file of the order) and
    OSError where the disk fails.
    """

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        ending = os.path.splitext(order.src_rel)[1].lower()  # noqa: PTH122 (any bytes)
        self._limits = replace(order.limits, ending=ending)
        self._data: bytes | None = None
        self._frames = 1
        self.jpeg_tables: JpegTables | None = None  # once it is decoded, if it is lossy

    def count_frames(self) -> int:
        """Return how many frames are to be enlarged."""
        if self._limits.each_frame:
            count = count_frames_confined if self._is_confined() else decode.count_frames
            self._frames = count(self._read(), self._limits)
        return self._frames

    def decode(self, frame: int) -> DecodedImage:
        """Decode a frame, counted from 0."""
        data, is_confined = self._read(), self._is_confined()
        if frame == self._frames - 1:
            self._data = None  # the fit needs the memory
        if is_confined:
            return decode_confined(data, self._limits, frame)
        decoded = decode.decode(data, self._limits, frame=frame)
        self.jpeg_tables = read_tables(data)
        return decoded

    def _is_confined(self) -> bool:
        """Whether only a confined child may run the decoder of this file."""
        return format_of(self._read(), self._limits) in CONFINED_FORMATS

    def _read(self) -> bytes:
        if self._data is None:
            self._data = _content(self._order)
        return self._data


def _content(order: WorkOrder) -> bytes:
    fd = open_known_source(order.inbox, order.src_rel, order.identity)
    try:
        return read_file(fd, order.limits)
    finally:
        os.close(fd)
