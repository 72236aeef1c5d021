"""SettleTracker: when a file of the inbox has been written completely."""

import heapq
from dataclasses import dataclass
from itertools import islice

from zssr_daemon.inbox.scan import Candidate
from zssr_daemon.system.file_identity import FileIdentity


@dataclass(slots=True)
class _Settling:
    identity: FileIdentity
    since: float  # when it was first seen as it is now
    due: float  # when to look at it next
    is_empty: bool


class SettleTracker:
    """Tells when a file has not changed for `stable_after_s`, over at least two looks.

    A file may take any time, and no wait depends on an event: every tracked file has its own next
    look. Times are seconds of the caller's monotonic clock; the file's own times prove nothing.
    """

    def __init__(self, stable_after_s: float) -> None:
        self._stable_after_s = stable_after_s
        self._files: dict[str, _Settling] = {}
        # A heap of times and files, the soonest first. An entry is stale, and is passed over, when
        # its file has another due time or is no longer tracked. This keeps each look cheap among
        # thousands of files.
        self._looks: list[tuple[float, str]] = []
        self._waiting = 0

    def __contains__(self, rel: str) -> bool:
        return rel in self._files

    def __len__(self) -> int:
        return len(self._files)

    def names(self, limit: int) -> list[str]:
        """Return up to `limit` of the files, those that came first."""
        return list(islice(self._files, limit))

    @property
    def waiting(self) -> int:
        """How many files with content are settling; nobody waits for an empty one."""
        return self._waiting

    def observe(self, candidate: Candidate, now: float) -> bool:
        """Note a look at a file, and tell whether it is ready."""
        known = self._files.get(candidate.rel)
        if known is None or known.identity != candidate.identity:
            self.drop(candidate.rel)
            self._files[candidate.rel] = _Settling(
                candidate.identity, now, now + self._stable_after_s, candidate.is_empty
            )
            self._waiting += not candidate.is_empty
            self.defer(candidate.rel, now + self._stable_after_s)
            return False
        is_due = now >= known.due
        if is_due:  # a file that is still empty is looked at again and again
            self.defer(candidate.rel, now + self._stable_after_s)
        return is_due and not known.is_empty

    def unchanged_for_s(self, candidate: Candidate, now: float) -> float:
        """Return how long a file has been as it is now, in seconds."""
        known = self._files.get(candidate.rel)
        return now - known.since if known and known.identity == candidate.identity else 0.0

    def defer(self, rel: str, until: float) -> None:
        """Look at a tracked file again at `until` and not before."""
        self._files[rel].due = until
        heapq.heappush(self._looks, (until, rel))

    def drop(self, rel: str) -> None:
        """Stop tracking a file that is queued, or gone."""
        file = self._files.pop(rel, None)
        if file is not None:
            self._waiting -= not file.is_empty

    def due(self, now: float) -> list[str]:
        """Return the files to look at now; each must then be observed, deferred or dropped."""
        found = []
        while self._looks and self._looks[0][0] <= now:
            due, rel = heapq.heappop(self._looks)
            if self._is_current(due, rel):
                found.append(rel)
        return found

    def next_due(self) -> float | None:
        """Return when the next look is due."""
        while self._looks and not self._is_current(*self._looks[0]):
            heapq.heappop(self._looks)
        return self._looks[0][0] if self._looks else None

    def _is_current(self, due: float, rel: str) -> bool:
        file = self._files.get(rel)
        return file is not None and file.due == due
