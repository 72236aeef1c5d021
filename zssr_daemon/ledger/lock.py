"""LedgerLock: only one process at a time may write a ledger."""

import errno
import fcntl
import time
from pathlib import Path

from zssr_daemon.errors import LedgerLockedError

LOCK_NAME = "daemon.lock"

_LOCK_RETRY_S = 0.05


class LedgerLock:
    """The right to write one state folder's ledger; the kernel frees it when the process ends."""

    def __init__(self, state_folder: Path, *, patience_s: float = 0.0) -> None:
        """Take the lock; wait up to `patience_s` for a command that holds it only briefly.

        Raises:
            LedgerLockedError: another process holds it.
        """
        self._file = (state_folder / LOCK_NAME).open("ab")
        deadline_s = time.monotonic() + patience_s
        try:
            while not _could_lock(self._file.fileno(), fcntl.LOCK_EX):
                if time.monotonic() >= deadline_s:
                    raise BlockingIOError(errno.EWOULDBLOCK, "locked")
                time.sleep(_LOCK_RETRY_S)
        except OSError as error:
            self._file.close()
            raise LedgerLockedError(
                f"{state_folder}: another zssr-daemon is running on this state folder; "
                "stop it first, or give this one its own [folders]"
            ) from error

    def release(self) -> None:
        """Give the lock back."""
        self._file.close()


def is_locked(state_folder: Path) -> bool:
    """Tell whether a daemon, or a command that writes, holds the lock."""
    try:
        with (state_folder / LOCK_NAME).open("rb") as file:
            return not _could_lock(file.fileno(), fcntl.LOCK_SH)
    except OSError:  # there is no lock yet, or we are not allowed to see it
        return False


def _could_lock(fd: int, kind: int) -> bool:
    """Take a lock of `kind` if it is free, and tell whether that succeeded."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
