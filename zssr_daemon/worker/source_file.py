"""SourceFile: the file that an order names, read once however many frames it has."""

import os

from zssr_daemon.errors import SourceChangedError
from zssr_daemon.imaging import decode
from zssr_daemon.imaging.jpeg_coding import read_jpeg_tables
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.safe_open import open_source
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables


class SourceFile:
    """Reads the file at the first call that needs it, and drops it when the last frame is decoded.

    All methods raise ImageError (SourceChangedError where it is not the file of the order) and
    OSError where the disk fails.
    """

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self._data: bytes | None = None
        self._frames = 1
        self.jpeg_tables: JpegTables | None = None  # of a JPEG, once it is decoded

    def count_frames(self) -> int:
        """Return how many frames are to be enlarged."""
        if self._order.limits.each_frame:
            self._frames = decode.count_frames(self._read(), self._order.limits)
        return self._frames

    def decode(self, frame: int) -> decode.DecodedImage:
        """Decode a frame, counted from 0."""
        data = self._read()
        if frame == self._frames - 1:
            self._data = None  # the fit needs the memory
        decoded = decode.decode(data, self._order.limits, frame=frame)
        self.jpeg_tables = read_jpeg_tables(data)
        return decoded

    def _read(self) -> bytes:
        if self._data is None:
            self._data = _content(self._order)
        return self._data


def _content(order: WorkOrder) -> bytes:
    fd = open_source(order.inbox, order.src_rel)
    try:
        if FileIdentity.from_stat(os.fstat(fd)) != order.identity:
            raise SourceChangedError("the source changed before its job began")
        return decode.read_file(fd, order.limits)
    finally:
        os.close(fd)
