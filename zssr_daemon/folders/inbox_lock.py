"""InboxLock: only one daemon takes files from an inbox, whatever its state folder.

The lock is one of the kernel on the opened folder itself. It needs no write, so it works where the
inbox is read-only; it holds for every path to the folder, through links and bind mounts; and it
ends with the process. A daemon also shares locks on the folders above its inbox, so that no inbox
lies in another daemon's inbox, whichever of the two begins first.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from zssr_daemon.errors import InboxLockedError

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RETRY_S = 0.05


class InboxLock:
    """One daemon's right to an inbox.

    While it is held, the file system of the inbox is in use, so it is let go while the inbox is
    away.
    """

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        self._fds: list[int] = []
        self._folder: tuple[int, int] | None = None  # device and inode of what is locked

    def take(self, *, patience_s: float = 0.0) -> None:
        """Take the lock, of the folder that is there now; wait up to `patience_s`.

        A folder that is not there, or whose file system knows no such locks, is not locked.

        Raises:
            InboxLockedError: another process holds it.
        """
        deadline_s = time.monotonic() + patience_s
        while True:
            try:
                self._try()
            except InboxLockedError:
                if time.monotonic() >= deadline_s:
                    raise
                time.sleep(_RETRY_S)
            else:
                return

    def fault(self) -> str | None:
        """Return why this daemon must not work on the inbox, or None; take the lock again if lost.

        It is lost when another file system is mounted, and free while the inbox was away.
        """
        try:
            if self._folder is None or self._folder != _identity_of(self._inbox):
                self._try()
        except InboxLockedError as error:
            return str(error)
        return None

    def release(self) -> None:
        """Let the lock go."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._folder = None

    def _try(self) -> None:
        self.release()
        try:
            for folder, kind in _locks_of(self._inbox):
                self._lock(folder, kind)
        except InboxLockedError:
            self.release()
            raise
        self._folder = _identity_of(self._inbox)

    def _lock(self, folder: Path, kind: int) -> None:
        try:
            fd = os.open(folder, _FLAGS)
        except OSError:  # it is away, or may be passed through but not read
            return
        self._fds.append(fd)
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InboxLockedError(_message(self._inbox, folder)) from error
        except OSError:  # a file system without such locks: nobody can tell
            return


def _locks_of(inbox: Path) -> Iterator[tuple[Path, int]]:
    real = inbox.resolve()
    yield real, fcntl.LOCK_EX
    for above in real.parents:
        yield above, fcntl.LOCK_SH


def _message(inbox: Path, folder: Path) -> str:
    where = "on it, or on a folder in it"
    if folder != inbox.resolve():
        where = f"on {folder}, in which it lies"
    return (
        f"[folders] inbox = {inbox}: another zssr-daemon works {where}; "
        "stop that one first, or give each an inbox of its own, beside the other"
    )


def _identity_of(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
