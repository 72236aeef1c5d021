"""OrderFiles: the files of one order on the gateway's side: the source, and what comes back."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zssr_daemon.cluster.scratch import ResultFile, SourceCopy
from zssr_daemon.errors import Reason, TransientError
from zssr_daemon.imaging.readers.content import read_file
from zssr_daemon.protocol.attempt_files import companion_part, frame_part
from zssr_daemon.protocol.endings import COMPANIONS
from zssr_daemon.protocol.messages import WorkDone, WorkOrder
from zssr_daemon.system.safe_open import open_known_source


def read_source(order: WorkOrder) -> SourceCopy:
    """Read the source of an order.

    Raises:
        ImageError: it is not the file of the order.
        OSError: the disk is at fault.
    """
    fd = open_known_source(order.inbox, order.src_rel, order.identity)
    try:
        mode = stat.S_IMODE(os.fstat(fd).st_mode)
        return SourceCopy(content=read_file(fd, order.limits), mode=mode)
    finally:
        os.close(fd)


class ResultSink:
    """A file that a node hands over in pieces, written where the order wants it."""

    def __init__(self, fd: int, file: ResultFile) -> None:
        self._fd = fd
        self._file = file
        self._digest = hashlib.sha256()
        self.missing_bytes = file.size_bytes

    def write(self, piece: bytes) -> None:
        """Write a piece.

        Raises:
            TransientError: it is more than was offered, or nothing. OSError: the disk is at fault.
        """
        self.missing_bytes -= len(piece)
        if not piece or self.missing_bytes < 0:
            raise spoilt(f"{self._file.name} is not as long as the node said")
        self._digest.update(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def check(self) -> None:
        """Compare what was written with what the node has.

        Raises:
            TransientError: it is not the same.
        """
        if self._digest.hexdigest() != self._file.sha256:
            raise spoilt(f"{self._file.name} was spoilt on its way from the node")


class Results:
    """Where the results of one order belong; a node chooses neither name nor folder."""

    def __init__(self, order: WorkOrder, done: WorkDone, source_mode: int) -> None:
        self._done = done
        self._part = Path(order.part)
        self._mode = 0o666 & ~(0o066 & ~source_mode)  # as private as the source

    def accepted(self, offered: list[ResultFile]) -> list[ResultFile]:
        """Return what a node offers, if that is all that it must hand over and nothing else.

        Raises:
            TransientError: it is not.
        """
        outputs = {frame_part(str(self._part), frame) for frame in range(self._done.frames - 1)}
        must = {Path(path).name for path in outputs} | {self._part.name}
        may = {
            companion_part(self._part.with_name(name), kind).name
            for name in must
            for kind in COMPANIONS
        }
        names = [file.name for file in offered]
        if not must <= set(names) <= must | may or len(set(names)) != len(names):
            raise spoilt(f"the node offers {sorted(names)}, not {sorted(must)}")
        for file in offered:
            if file.name == self._part.name and file.sha256 != self._done.out_sha256:
                raise spoilt(f"{file.name} was spoilt on the node's disk")
        return offered

    @contextmanager
    def sink(self, file: ResultFile) -> Iterator[ResultSink]:
        """Open a file that was accepted; what an earlier attempt left there is replaced.

        Raises:
            OSError: the disk is at fault.
        """
        path = self._part.with_name(file.name)
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path, flags, self._mode)
        try:
            yield ResultSink(fd, file)
        finally:
            os.close(fd)


def spoilt(message: str) -> TransientError:
    """Return the error of a result that is not what the node has verified."""
    return TransientError(message, reason=Reason.OUTPUT_INVALID)
