"""Desk: the jobs in work, and the ways in which each of them goes on."""

import time
from collections.abc import Callable

from zssr_daemon.daemon.job_log import JobLog
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.daemon.progress_board import Board
from zssr_daemon.errors import JobError, Reason
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.job_settings import settings_of
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.messages import WorkProgress, WorkReport
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry.metrics import Metrics, Outcome

#: A failed attempt waits `retry_after_s`, doubling with each further one, up to this.
_MAX_RETRY_S = 3600.0


class Desk:
    """Keeps ledger, files, log and board in step for every job in work."""

    def __init__(
        self,
        *,
        settings: Settings,
        ledger: Ledger,
        publisher: Publisher,
        pause: Pause,
        metrics: Metrics,
        board: Board | None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._publisher = publisher
        self._pause = pause
        self._metrics = metrics
        self._board = board
        self.log = JobLog(settings.logging.progress_interval_s)
        self.running: dict[str, Job] = {}
        self.told: dict[str, tuple[WorkProgress, float | None]] = {}  # the last, and seconds left
        self.has_failures = False

    def take(self, job: Job) -> None:
        """Note that a job is in work."""
        self.running[job.id] = job

    def progress(self, job: Job, progress: WorkProgress) -> None:
        """Tell how far a job is."""
        eta_s = progress.eta_s(time.time() - (job.started_at or time.time()))
        self.told[job.id] = progress, eta_s
        self.log.progress(job, progress, eta_s)
        if self._board is not None:
            self._board.show(job, progress, eta_s)

    def done(self, job: Job, report: WorkReport) -> None:
        """End a job whose output is durable."""
        self._take_off(job)
        self._metrics.job_ended(Outcome.DONE)
        total_s = (job.finished_at or 0.0) - (job.started_at or 0.0)
        self._metrics.job_took(report.seconds, total_s, report.gpu_memory_peak_bytes)
        config = settings_of(job, self._ledger, self._settings).zssr
        self._end(job, lambda ended: self.log.done(ended, report, config))

    def attempt_failed(self, job: Job, reason: Reason, message: str) -> None:
        """Try again later, or give up after `max_attempts`."""
        if job.attempts >= self._settings.limits.max_attempts:
            self.fail(job, reason, message)
            return
        self._take_off(job)
        self._publisher.discard_part(job)
        doublings = max(0, job.attempts - 1)
        wait_s = min(_MAX_RETRY_S, self._settings.limits.retry_after_s * 2**doublings)
        self._ledger.reattempt(
            job.id, not_before=time.time() + wait_s, reason=reason, message=message
        )
        self._metrics.job_ended(Outcome.RETRIED, reason)
        self.log.reattempted(job, reason, message, wait_s)

    def fail(self, job: Job, reason: Reason, message: str) -> None:
        """End a job without an output."""
        self.has_failures = True
        self._take_off(job)
        job = self._ledger.fail(job.id, now=time.time(), reason=reason, message=message)
        reach(Failpoint.FAILED)
        self._publisher.discard_part(job)
        self._metrics.job_ended(Outcome.FAILED, reason)
        self._end(job, self.log.failed)

    def put_back(self, job: Job, reason: Reason, *, wait_s: float = 0.0) -> None:
        """Queue an interrupted job again, for in `wait_s` at the earliest; no attempt counts."""
        self._take_off(job)
        if self._ledger.get(job.id).state is JobState.PUBLISHING:
            return  # its output may have its name already: it is finished, not repeated
        self._publisher.discard_part(job)
        not_before = time.time() + wait_s if wait_s else 0.0  # a clock set back delays nobody
        self._ledger.requeue(job.id, not_before=not_before)
        self._metrics.job_ended(Outcome.INTERRUPTED, reason)
        self.log.reattempted(job, reason, "interrupted, not at fault", wait_s)

    def source_changed(self, job: Job, error: JobError) -> None:
        """Begin anew with a source that was only touched; let a changed one be another job."""
        if self._publisher.recognise(job) is not None:
            self.put_back(job, error.reason)
            return
        self._take_off(job)
        self._publisher.discard_part(job)
        self._ledger.forget(job.id)
        self._metrics.job_ended(Outcome.INTERRUPTED, error.reason)
        self.log.reattempted(job, error.reason, str(error), 0.0)

    def end_again(self, job: Job) -> None:
        """Go on with an end that an interruption may have kept from the log; a line may repeat."""
        self._metrics.job_ended(Outcome(job.state), job.reason or "")
        self._end(job, self.log.recovered if job.state is JobState.DONE else self.log.failed)

    def dispose(self, job: Job) -> None:
        """Try again to move the source of an ended job away."""
        moved = self._moved(job)
        if moved is not None:
            self._publisher.close(moved)

    def _end(self, job: Job, tell: Callable[[Job], None]) -> None:
        """Move an ended job's source away, and tell of the end before that is recorded.

        So after a crash the line may come twice, and is never missing.
        """
        moved = self._moved(job)
        tell(moved or job)
        if moved is not None:
            self._publisher.close(moved)

    def _moved(self, job: Job) -> Job | None:
        """Move the source away; None where that cannot be now, and is to be tried again."""
        try:
            return self._publisher.dispose(job)
        except OSError as error:
            obstacle = self._pause.explain(error)
            if obstacle is None:
                self.log.disposal_delayed(job, str(error))
            else:
                self._pause.begin(obstacle)
            return None

    def _take_off(self, job: Job) -> None:
        self.running.pop(job.id, None)
        self.told.pop(job.id, None)
        if self._board is not None:
            self._board.clear(job.id)
