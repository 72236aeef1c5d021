"""SourceFile: the file that an order names, read once however many frames it has."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from zssr_daemon.errors import SourceChangedError
from zssr_daemon.imaging import decode
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.safe_open import open_source


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
        self._data: bytes | None = None
        self._frames = 1

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
        return decode.decode(data, self._order.limits, frame=frame)

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
