"""Recovery: what an earlier process, or a pause, left to be finished."""

import time

from zssr_daemon.daemon.job_lifecycle import JobLifecycle
from zssr_daemon.errors import Reason
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.publisher import Publisher

#: A source that cannot be moved out of the inbox is tried again after this.
_DISPOSAL_RETRY_S = 60.0


class Recovery:
    """Brings every job that was interrupted to its end, or back to the queue."""

    def __init__(self, ledger: Ledger, publisher: Publisher, lifecycle: JobLifecycle) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._lifecycle = lifecycle
        self._next_disposal_s = 0.0

    def after_start(self) -> None:
        """Finish what an earlier process left, before any job of this one."""
        for job in self._ledger.undisposed():  # the crash may have kept its end from the log
            self._lifecycle.end_again(job)
        self.finish_interrupted()
        self._publisher.remove_stale_parts()
        for job in self._ledger.in_state(JobState.RUNNING):
            message = "the daemon ended while the job ran"
            self._lifecycle.attempt_failed(job, Reason.INTERRUPTED, message)

    def after_pause(self, reason: Reason) -> None:
        """Finish what the obstacle of a pause left; `reason` is that of the pause."""
        self.finish_interrupted()
        for job in self._ledger.in_state(JobState.RUNNING):
            if self._lifecycle.find(job.id) is None:  # the fault kept its end from the ledger
                self._lifecycle.put_back(job, reason)

    def finish_interrupted(self) -> None:
        """Finish what a crash, or a fault of a disk, left between two states."""
        for job in self._ledger.in_state(JobState.PUBLISHING):
            with self._lifecycle.blaming(job):
                finished = self._publisher.finish(job)
                if finished.state is JobState.DONE:
                    self._lifecycle.end_again(finished)
        self._dispose_pending(time.monotonic())

    def dispose_when_due(self, now: float) -> None:
        """Try again now and then to move sources away; `now` is of the monotonic clock."""
        if now >= self._next_disposal_s:
            self._dispose_pending(now)

    def _dispose_pending(self, now: float) -> None:
        """Move the sources of ended jobs away that could not be moved before."""
        self._next_disposal_s = now + _DISPOSAL_RETRY_S
        for job in self._ledger.undisposed():
            self._lifecycle.dispose(job)
