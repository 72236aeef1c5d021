"""BatchZip: all outputs of a batch as one zip file, made while it is sent."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from zssr_daemon.protocol.attempt_files import is_part
from zssr_daemon.system.file_names import printable
from zssr_daemon.web.sent_file import open_below

_BLOCK_BYTES: Final = 1 << 20


def files_of(folder: Path) -> list[str]:
    """Return the outputs below a folder, relative to it, in order; links are not followed."""
    found = []
    for parent, _, names in os.walk(folder):
        below = os.path.relpath(parent, folder)
        found += [os.path.normpath(os.path.join(below, n)) for n in names if not is_part(n)]  # noqa: PTH118
    return sorted(found)


def zipped(folder: Path, names: list[str]) -> Iterator[bytes]:
    """Yield a zip file of the files `names` below `folder`; one that is gone meanwhile is left out.

    Pictures are compressed already, so they are stored as they are. No more than a block is held.
    """
    sink = _Sink()
    with ZipFile(cast(BinaryIO, sink), "w", ZIP_STORED) as archive:
        for name in names:
            stream = open_below(folder, name)
            if stream is None:
                continue
            with stream, archive.open(ZipInfo(printable(name)), "w", force_zip64=True) as entry:
                while block := stream.read(_BLOCK_BYTES):
                    entry.write(block)
                    yield sink.take()
            yield sink.take()
    yield sink.take()


class _Sink:
    """A stream that holds what was written until it is taken; it cannot seek."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, block: bytes) -> int:
        """Hold a block."""
        self._held += block
        return len(block)

    def flush(self) -> None:
        """Do nothing: what is held goes out when it is taken."""

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = bytes(self._held)
        self._held.clear()
        return taken
