"""JobLifecycle: the jobs in work, how each goes on, and what is to blame when one cannot."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from zssr_daemon.daemon.context import Context
from zssr_daemon.daemon.job_log import JobLog
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.errors import JobError, Reason
from zssr_daemon.executor.interface import NOWHERE, Place
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.folders.obstacle import Obstacle
from zssr_daemon.inbox.gate_outcome import (
    Delayed,
    Duplicate,
    GateOutcome,
    Ignored,
    LinkIgnored,
    Queued,
    Refused,
)
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.messages import WorkProgress, WorkReport
from zssr_daemon.publish.cancel import CANCELLED
from zssr_daemon.publish.disposal import Disposer
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.publish.sources import Sources
from zssr_daemon.settings.image_settings import Resolved
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.disk_faults import is_unreadable
from zssr_daemon.telemetry.metrics import FileResult, Outcome

#: The wait after a failed attempt begins at `retry_after_s`, and doubles each time, up to this.
_MAX_WAIT_S = 3600.0

#: The queue pauses so often for one job's EIO, on a disk that is well whenever it is looked at.
#: After that the file is to blame, as on a bad sector, and the queue goes on.
_MAX_UNSEEN_FAULTS = 3

#: The result that the metrics count for each outcome of the gate.
_RESULTS = {
    Queued: FileResult.READY,
    Refused: FileResult.UNSAFE,
    Ignored: FileResult.IGNORED,
    Duplicate: FileResult.DUPLICATE,
}


@dataclass(slots=True)
class RunningJob:
    """A claimed job, with the settings of its image and its progress."""

    job: Job
    own: Resolved | None = None  # None until its settings are resolved
    place: Place = NOWHERE
    progress: WorkProgress | None = None  # the last that its worker reported
    eta_s: float | None = None  # seconds left, from that progress


class JobLifecycle:
    """Keeps ledger, files, log and board in step for every job in work."""

    def __init__(
        self,
        *,
        settings: Settings,
        ledger: Ledger,
        publisher: Publisher,
        disposer: Disposer,
        sources: Sources,
        pause: Pause,
        context: Context,
    ) -> None:
        self._limits = settings.limits
        self._ledger = ledger
        self._publisher = publisher
        self._disposer = disposer
        self._sources = sources
        self._pause = pause
        self._metrics = context.metrics
        self._board = context.board
        self._log = JobLog(settings.logging.progress_interval_s)
        self._running: dict[str, RunningJob] = {}
        self._unseen_faults: Counter[str] = Counter()  # by job
        self.has_failures = False

    # -- the jobs in work ---------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether no job is in work."""
        return not self._running

    def running(self) -> list[RunningJob]:
        """Return the jobs in work, in the order in which they were claimed."""
        return list(self._running.values())

    def find(self, job_id: str) -> Job | None:
        """Return a job in work, or None."""
        found = self._running.get(job_id)
        return None if found is None else found.job

    def get(self, job_id: str) -> Job:
        """Return a job in work, or raise KeyError."""
        return self._running[job_id].job

    def is_cancelled(self, job: Job) -> bool:
        """Tell whether an administrator has stopped a job, whose attempt may not have ended yet."""
        return (self.find(job.id) or job).reason == Reason.CANCELLED

    def ask_cancel(self, job: Job) -> None:
        """Record, durably, that a running job is to end when its attempt has stopped."""
        job = self._ledger.ask_cancel(job.id, message=CANCELLED)
        if job.id in self._running:
            self._running[job.id].job = job
        reach(Failpoint.CANCEL_ASKED)

    def take(self, job: Job, own: Resolved | None = None) -> None:
        """Note that a job is in work, and the settings of its image once they are known."""
        self._running[job.id] = RunningJob(job, own)

    # -- what happens to a job ----------------------------------------------------------------

    def admit(self, outcome: GateOutcome) -> None:
        """Log and count what the gate decided about a file, and fail the job of a refused one."""
        if (result := _RESULTS.get(type(outcome))) is not None:
            self._metrics.file_seen(result)
        match outcome:
            case Queued(job, info):
                reach(Failpoint.QUEUED)
                self._log.queued(job, info)
            case Refused(job, reason, message):
                self.fail(job, reason, message)
            case Ignored(rel):
                self._log.ignored(rel)
            case LinkIgnored(rel):
                self._log.link_ignored(rel)
            case Delayed(rel, message, wait_s):
                self._log.delayed(rel, message, wait_s)

    def started(self, job_id: str, place: Place) -> None:
        """Log that a worker has the job."""
        running = self._running[job_id]
        assert running.own is not None
        running.place = place
        self._log.started(running.job, place, running.own.settings.zssr, running.own.profiles)

    def progress(self, progress: WorkProgress) -> None:
        """Record, log and show how far a job is."""
        running = self._running[progress.job_id]
        job = running.job
        eta_s = progress.eta_s(time.time() - (job.started_at or time.time()))
        running.progress, running.eta_s = progress, eta_s
        self._log.progress(job, progress, eta_s)
        if self._board is not None:
            self._board.show(job, progress, eta_s)

    def done(self, job: Job, report: WorkReport) -> None:
        """End a job whose output is durable."""
        running = self._running[job.id]
        assert running.own is not None
        place, config = running.place, running.own.settings.zssr
        if report.found:
            job = self._ledger.tell(job.id, report.found)
        self._remove(job)
        self._metrics.job_ended(Outcome.DONE)
        total_s = (job.finished_at or 0.0) - (job.started_at or 0.0)
        self._metrics.job_took(report.seconds, total_s, report.gpu_memory_peak_bytes)
        self._end(job, lambda ended: self._log.done(ended, report, config, place))

    def attempt_failed(self, job: Job, reason: Reason, message: str) -> None:
        """Queue the job for another attempt, or end it after `max_attempts`."""
        if self.is_cancelled(job):
            self.fail(job, Reason.CANCELLED, CANCELLED)
            return
        if job.attempts >= self._limits.max_attempts:
            self.fail(job, reason, message)
            return
        self._remove(job)
        self._publisher.discard_part(job)
        doublings = max(0, job.attempts - 1)
        wait_s = min(_MAX_WAIT_S, self._limits.retry_after_s * 2**doublings)
        self._ledger.reattempt(
            job.id, not_before=time.time() + wait_s, reason=reason, message=message
        )
        self._metrics.job_ended(Outcome.RETRIED, reason)
        self._log.reattempted(job, reason, message, wait_s)

    def fail(self, job: Job, reason: Reason, message: str) -> None:
        """End a job without an output; one that was cancelled is no failure of the run."""
        self.has_failures |= reason is not Reason.CANCELLED
        self._remove(job)
        job = self._ledger.fail(job.id, now=time.time(), reason=reason, message=message)
        reach(Failpoint.FAILED)
        self._publisher.discard_part(job)
        self._metrics.job_ended(_outcome_of(job), reason)
        self._end(job, self._log.failed)

    def put_back(self, job: Job, reason: Reason, *, wait_s: float = 0.0) -> None:
        """Queue an interrupted job again, to start after `wait_s`; this attempt does not count."""
        is_cancelled = self.is_cancelled(job)
        self._remove(job)
        if self._ledger.get(job.id).state is JobState.PUBLISHING:
            return  # its output may have its name already: it is finished later, not repeated
        if is_cancelled:
            self.fail(job, Reason.CANCELLED, CANCELLED)
            return
        self._publisher.discard_part(job)
        not_before = time.time() + wait_s if wait_s else 0.0  # 0: a clock set back cannot delay it
        self._ledger.requeue(job.id, not_before=not_before)
        self._metrics.job_ended(Outcome.INTERRUPTED, reason)
        self._log.reattempted(job, reason, "interrupted, not at fault", wait_s)

    def source_changed(self, job: Job, error: JobError) -> None:
        """Queue the job again if its source was only touched; forget it if the content is new.

        The next scan finds the new content, which becomes a job of its own.
        """
        if self._sources.recognise(job) is not None:
            self.put_back(job, error.reason)
            return
        self._remove(job)
        self._publisher.discard_part(job)
        self._ledger.forget(job.id)
        self._metrics.job_ended(Outcome.INTERRUPTED, error.reason)
        self._log.reattempted(job, error.reason, str(error), 0.0)

    def repeat_end(self, job: Job) -> None:
        """Log an end again that an interruption may have kept from the log, and go on from there.

        The log may then have two lines of that end.
        """
        self._metrics.job_ended(_outcome_of(job), job.reason or "")
        self._end(job, self._log.recovered if job.state is JobState.DONE else self._log.failed)

    def dispose(self, job: Job) -> None:
        """Try again to move the source of an ended job away."""
        moved = self._move_source(job)
        if moved is not None:
            self._disposer.close(moved)

    def result_expired(self, job: Job) -> None:
        """Log that the result of an ended job is gone; `job` is as it was before."""
        self._log.result_expired(job)

    # -- pause or blame -----------------------------------------------------------------------

    @contextmanager
    def judging_faults(self, job: Job) -> Iterator[None]:
        """Decide what an OSError within the block is due to, and go on after the block.

        If disks or folders explain it, the queue pauses and the job goes back without blame. If
        they are well, the attempt has failed.
        """
        try:
            yield
        except OSError as error:
            obstacle = self._explain(job, error)
            if obstacle is None:
                self.attempt_failed(job, Reason.IO_ERROR, str(error))
            else:
                self._pause.begin(obstacle)
                self.put_back(job, obstacle.reason)

    def _explain(self, job: Job, error: OSError) -> Obstacle | None:
        """Return the obstacle behind an error; None where this job's files are to blame."""
        obstacle = self._pause.explain(error)
        is_seen = obstacle is None or obstacle.is_seen
        if not is_seen and is_unreadable(error.errno):
            self._unseen_faults[job.id] += 1
            if self._unseen_faults[job.id] > _MAX_UNSEEN_FAULTS:
                return None
        return obstacle

    def _move_source(self, job: Job) -> Job | None:
        """Move the source away; return None if that fails now and has to be tried again."""
        try:
            moved = self._disposer.dispose(job)
            self._unseen_faults.pop(job.id, None)
            return moved
        except OSError as error:
            obstacle = self._explain(job, error)
            if obstacle is not None:
                self._pause.begin(obstacle)
                return None
            if job.state is JobState.FAILED and is_unreadable(error.errno):
                return self._leave(job)  # it cannot even be read, so it cannot be copied either
            self._log.disposal_delayed(job, str(error))
            return None

    def _leave(self, job: Job) -> Job | None:
        try:
            return self._disposer.leave(job)
        except OSError as error:
            self._log.disposal_delayed(job, str(error))
            return None

    def _end(self, job: Job, log_end: Callable[[Job], None]) -> None:
        """Move an ended job's source away, and log the end before the ledger records the move.

        So after a crash the line may come twice, but is never missing.
        """
        moved = self._move_source(job)
        log_end(moved or job)
        if moved is not None:
            self._disposer.close(moved)

    def _remove(self, job: Job) -> None:
        self._running.pop(job.id, None)
        if self._board is not None:
            self._board.clear(job.id)


def _outcome_of(job: Job) -> Outcome:
    """Return how the metrics count the end of a job."""
    return Outcome.CANCELLED if job.reason == Reason.CANCELLED else Outcome(job.state)
