"""ShareFaults: files that disk or share cannot read, and how often each is tried again.

While the whole disk fails, or a file is only busy, the file waits, and no try counts. Where only
this file cannot be read, as on a bad sector, it is given up after some tries, so that nobody waits
for it for ever.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.inbox.scan import Candidate
from zssr_daemon.system.disk_faults import is_unreadable
from zssr_daemon.system.file_identity import FileIdentity

#: How often a file is tried while the disk is well otherwise; each wait is twice the one before.
MAX_TRIES = 5


class ShareFaultError(ImageError):
    """Disk or share cannot read a file now; `number` is the errno."""

    reason = Reason.SHARE_FAULT

    def __init__(self, message: str, number: int | None) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True, slots=True)
class Wait:
    """How long to wait before the next try, and whether there is something new to tell."""

    seconds: float
    is_news: bool


class ShareFaults:
    """Counts the tries of each file."""

    def __init__(self, is_disk_well: Callable[[], bool]) -> None:
        """`is_disk_well` tells whether the folders can be read, whatever one file does."""
        self._is_disk_well = is_disk_well
        self._tries: dict[str, tuple[FileIdentity, int]] = {}

    def wait(self, candidate: Candidate, fault: ShareFaultError, first_s: float) -> Wait | None:
        """Return the wait before the next try, at first `first_s`; None to give the file up."""
        is_known = candidate.rel in self._tries
        identity, tries = self._tries.get(candidate.rel, (candidate.identity, 0))
        tries = tries if identity == candidate.identity else 0
        does_count = is_unreadable(fault.number) and self._is_disk_well()
        tries += does_count
        self._tries[candidate.rel] = candidate.identity, tries
        if not does_count:
            return Wait(first_s, is_news=not is_known)
        return Wait(first_s * 2 ** (tries - 1), is_news=True) if tries < MAX_TRIES else None

    def forget(self, rel: str) -> None:
        """Forget a file that has a job now."""
        self._tries.pop(rel, None)
