"""ShareFaults: files that disk or share cannot read, and how often each is tried again.

While the whole disk fails, every file waits, and no try counts. Where only one file cannot be read,
as on a bad sector, it is given up after some tries, so that nobody waits for it for ever.
"""

from collections.abc import Callable

from zssr_daemon.inbox.scan import Candidate
from zssr_daemon.system.file_identity import FileIdentity

#: How often a file is tried while the disk is well otherwise; each wait is twice the one before.
MAX_TRIES = 5


class ShareFaults:
    """Counts the tries of each file."""

    def __init__(self, is_disk_well: Callable[[], bool]) -> None:
        """`is_disk_well` tells whether the folders can be read, whatever one file does."""
        self._is_disk_well = is_disk_well
        self._tries: dict[str, tuple[FileIdentity, int]] = {}

    def wait_s(self, candidate: Candidate, first_s: float) -> float | None:
        """Return the seconds until the next try, at first `first_s`; None to give the file up."""
        if not self._is_disk_well():
            return first_s
        identity, tries = self._tries.get(candidate.rel, (candidate.identity, 0))
        tries = tries + 1 if identity == candidate.identity else 1
        self._tries[candidate.rel] = candidate.identity, tries
        return first_s * 2 ** (tries - 1) if tries < MAX_TRIES else None

    def forget(self, rel: str) -> None:
        """Forget a file that has a job now."""
        self._tries.pop(rel, None)
