"""Queue: which of the queued jobs is claimed next.

A higher lane goes first. Within a lane, first attempts and reattempts are taken alternately, the
oldest first, so that a job that fails again and again delays no other.
"""

from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.job_table import JobTable

_OLDEST_OF_HIGHEST_LANE = "lane DESC, created_at, rowid LIMIT 1"


class Queue:
    """Chooses among the queued jobs of one ledger."""

    def __init__(self, jobs: JobTable) -> None:
        self._jobs = jobs
        self._prefers_reattempt = False

    def next(self, now: float) -> Job | None:
        """Return the job to claim at `now`, in seconds since the epoch, or None."""
        heads = [
            self._head(now, is_reattempt=is_reattempt)
            for is_reattempt in (self._prefers_reattempt, not self._prefers_reattempt)
        ]
        job = max((head for head in heads if head), key=lambda head: head.lane, default=None)
        if job is not None:
            self._prefers_reattempt = job.attempts == 0
        return job

    def _head(self, now: float, *, is_reattempt: bool) -> Job | None:
        where = "state = 'queued' AND (attempts > 0) = ? AND not_before <= ?"
        order = _OLDEST_OF_HIGHEST_LANE
        found = self._jobs.select(where, [is_reattempt, now], order=order, index="jobs_claim")
        return found[0] if found else None
