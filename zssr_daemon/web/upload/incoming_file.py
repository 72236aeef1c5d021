"""IncomingFile: an upload on its way into the inbox; it gets its name when it is whole and durable.

Every call waits for the disk, so it belongs into a thread. The page may be stopped meanwhile and
let go of the file, so the calls wait for each other.
"""

import os
import secrets
from pathlib import Path
from threading import Lock

from zssr_daemon import failpoints
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.protocol.endings import PART
from zssr_daemon.system.durable import link_no_replace
from zssr_daemon.web.upload.batches import FILE_MODE


class IncomingFile:
    """A hidden part in the folder of the file, which the daemon passes over."""

    def __init__(self, final: Path) -> None:
        """Begin it.

        Raises:
            OSError: the disk is at fault.
        """
        self._final = final
        self._lock = Lock()
        self._part = final.with_name(f".{secrets.token_hex(8)}{PART}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd: int | None = os.open(self._part, flags, FILE_MODE)
        os.fchmod(self._fd, FILE_MODE)  # whatever the umask
        failpoints.reach(Failpoint.UPLOAD_BEGUN)

    def write(self, content: bytes) -> None:
        """Add to its content.

        Raises:
            OSError: the disk is full or at fault.
        """
        rest = memoryview(content)
        with self._lock:
            assert self._fd is not None
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def finish(self) -> None:
        """Make it durable, give it its name, and make that durable too.

        Raises:
            FileExistsError: another file has the name.
            OSError: the disk is at fault.
        """
        with self._lock:
            assert self._fd is not None
            os.fsync(self._fd)
            failpoints.reach(Failpoint.UPLOAD_SYNCED)
            link_no_replace(self._part, self._final)
            failpoints.reach(Failpoint.UPLOADED)

    def close(self) -> None:
        """Let go of it; what has no name yet is removed."""
        with self._lock:
            if self._fd is not None:
                os.close(self._fd)
                self._fd = None
                self._part.unlink(missing_ok=True)
