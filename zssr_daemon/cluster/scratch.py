"""Scratch: the folder on a node's own disk in which an attempt reads and writes."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from zssr_daemon.protocol.attempt_files import companion_part
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.file_identity import FileIdentity

#: A result is handed over in pieces of this size, so that no process holds much of it.
CHUNK_BYTES = 16 << 20

_PREFIX = "zssr-node-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCopy:
    """A source on its way to a node."""

    content: bytes
    mode: int  # its permissions: what is made of it is as private


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """A file that an attempt has written."""

    name: str
    size_bytes: int
    sha256: str


class Scratch:
    """One folder below the system's folder for temporary files; the order in hand has it alone."""

    def __init__(self) -> None:
        _remove_orphans(Path(tempfile.gettempdir()))
        self._root = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))

    def take(self, order: WorkOrder, source: SourceCopy) -> WorkOrder:
        """Write the source, and return the order with the paths of this machine.

        Raises:
            OSError: the disk of this machine is at fault.
        """
        self.clear()
        inbox, output = self._root / "inbox", self._root / "output"
        path = inbox / order.src_rel
        for folder in (path.parent, output):
            folder.mkdir(parents=True)
        path.write_bytes(source.content)
        path.chmod(source.mode | 0o400)
        part = output / Path(order.part).name
        return replace(
            order,
            inbox=str(inbox),
            identity=FileIdentity.from_stat(path.stat()),
            part=str(part),
            report_path=order.report_path and str(companion_part(part, REPORT)),
        )

    def files(self) -> list[ResultFile]:
        """Describe what the attempt has written."""
        return [_described(path) for path in sorted((self._root / "output").iterdir())]

    def chunk(self, name: str, offset: int) -> bytes:
        """Return a piece of a file, from a byte on."""
        with (self._root / "output" / name).open("rb") as stream:
            stream.seek(offset)
            return stream.read(CHUNK_BYTES)

    def clear(self) -> None:
        """Remove what the last order left."""
        for path in self._root.iterdir():
            shutil.rmtree(path)


def _described(path: Path) -> ResultFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return ResultFile(name=path.name, size_bytes=path.stat().st_size, sha256=digest)


def _remove_orphans(folder: Path) -> None:
    """Remove the folders of processes that were killed."""
    for path in folder.glob(f"{_PREFIX}*"):
        pid = path.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            with suppress(OSError):  # of another user, or another worker has just done so
                shutil.rmtree(path)
