"""Recovery: finishes what an earlier process, or a pause, left unfinished."""

import time

from zssr_daemon.daemon.job_lifecycle import JobLifecycle
from zssr_daemon.errors import Reason
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.publisher import Publisher

#: After this, a source that could not be moved out of the inbox is tried again.
_DISPOSAL_RETRY_S = 60.0


class Recovery:
    """Brings every job that was interrupted to its end, or back to the queue."""

    def __init__(self, ledger: Ledger, publisher: Publisher, lifecycle: JobLifecycle) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._lifecycle = lifecycle
        self._next_disposal_s = 0.0

    def after_start(self) -> None:
        """Finish what an earlier process left, before this one starts any job."""
        for (
            job
        ) in self._ledger.undisposed():  # a crash may have come before the log line of its end
            self._lifecycle.repeat_end(job)
        self.finish_interrupted()
        self._publisher.remove_stale_parts()
        for job in self._ledger.in_state(JobState.RUNNING):
            message = "the daemon ended while the job ran"
            self._lifecycle.attempt_failed(job, Reason.INTERRUPTED, message)

    def after_pause(self, reason: Reason) -> None:
        """Finish the jobs that a pause interrupted; `reason` is that of the pause."""
        self.finish_interrupted()
        for job in self._ledger.in_state(JobState.RUNNING):
            if self._lifecycle.find(job.id) is None:  # its end could not be recorded
                self._lifecycle.put_back(job, reason)

    def finish_interrupted(self) -> None:
        """Finish the jobs that a crash, or a fault of a disk, stopped while they were published."""
        for job in self._ledger.in_state(JobState.PUBLISHING):
            with self._lifecycle.judging_faults(job):
                finished = self._publisher.finish(job)
                if finished.state is JobState.DONE:
                    self._lifecycle.repeat_end(finished)
        self._dispose_pending(time.monotonic())

    def dispose_when_due(self, now: float) -> None:
        """Try again to move sources away, if it is time; `now` is of the monotonic clock."""
        if now >= self._next_disposal_s:
            self._dispose_pending(now)

    def _dispose_pending(self, now: float) -> None:
        """Move away the sources of ended jobs that could not be moved before."""
        self._next_disposal_s = now + _DISPOSAL_RETRY_S
        for job in self._ledger.undisposed():
            self._lifecycle.dispose(job)
