"""Canceller: stops jobs of the running daemon when an administrator asks for it."""

from typing import Any

from zssr_daemon.daemon.job_lifecycle import JobLifecycle
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import Executor
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.cancel import CANCELLED, cancellable
from zssr_daemon.system.file_names import printable


class Canceller:
    """A queued job ends at once, a running one as soon as its worker has stopped."""

    def __init__(self, ledger: Ledger, jobs: JobLifecycle, executor: Executor) -> None:
        self._ledger = ledger
        self._jobs = jobs
        self._executor = executor

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel a job, and return what to tell the caller.

        Raises:
            CancelRefusedError: the job cannot be cancelled; the message says why.
            OSError: the ledger takes no write.
        """
        job = cancellable(self._ledger, job_id)
        told: dict[str, Any] = {"image": printable(job.src_rel)}
        if job.state is JobState.QUEUED:
            self._jobs.fail(job, Reason.CANCELLED, CANCELLED)
            return told
        self._jobs.ask_cancel(job)
        self._executor.cancel(job.id)
        return told | {"stopping": True}
