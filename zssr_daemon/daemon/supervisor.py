"""Supervisor: the loop that moves jobs through the ledger; it never decodes and never computes.

`step` is one tick and returns at once; `run` is the only loop.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from zssr_daemon.daemon.admin import Service
from zssr_daemon.daemon.context import Ports
from zssr_daemon.daemon.job_lifecycle import Desk
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.daemon.reload import Reloader
from zssr_daemon.daemon.work_order import order_for
from zssr_daemon.errors import ImageSettingsError, Reason, SourceChangedError
from zssr_daemon.executor.interface import Executor, ExecutorEvent, WorkerEnd, WorkerEnded
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.folders.markers import Markers
from zssr_daemon.folders.obstacle import Obstacle, find_obstacle
from zssr_daemon.inbox.intake import Duplicate, Ignored, Intake, Outcome, Queued, Refused
from zssr_daemon.ledger.job import LIVE_STATES, Job, JobState
from zssr_daemon.ledger.job_settings import keep_settings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.protocol.messages import (
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkProgress,
)
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.settings.image_settings import Resolved, resolve
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.telemetry.metrics import FileResult

#: The longest nap: silent workers and passed deadlines are noticed at least this often.
_MAX_WAIT_S = 1.0

#: A source that cannot be moved out of the inbox is tried again after this.
_DISPOSAL_RETRY_S = 60.0

#: A job too large for the free disk lets the others pass, and asks again after this.
_SPACE_RETRY_S = 20.0

#: What the metrics call an outcome of the intake.
_RESULTS = {
    Queued: FileResult.READY,
    Refused: FileResult.UNSAFE,
    Ignored: FileResult.IGNORED,
    Duplicate: FileResult.DUPLICATE,
}


class Supervisor:
    """One daemon on one set of folders."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        executor: Executor,
        ports: Ports,
        *,
        kernel: KernelFile | None = None,
    ) -> None:
        self._ledger = ledger
        self._executor = executor
        self._ports = ports
        self._signals = ports.signals
        self._metrics = ports.metrics
        self._kernel = kernel
        self._log = logs.get_logger()
        self._markers = Markers(ledger)
        self._pause = Pause(self._find_obstacle)
        self._reloader = Reloader(ports.load_settings, ports.notifier)
        self._has_failures = False
        self._build(settings)
        self._device_fault = ""  # what the last worker that could not begin had to say
        self._is_recovered = False
        self._next_disposal = 0.0
        self._scans_while_busy = 0

    def _build(self, settings: Settings) -> None:
        """Make the parts that work by the settings."""
        ledger, pause = self._ledger, self._pause
        self._settings = settings
        self._publisher = Publisher(settings, ledger, self._markers)
        self._desk = Desk(
            settings=settings,
            ledger=ledger,
            publisher=self._publisher,
            pause=pause,
            metrics=self._metrics,
            board=self._ports.board,
        )
        self._intake = Intake(settings, ledger, self._signals.wake)
        self._service = Service(
            ports=self._ports,
            settings=settings,
            ledger=ledger,
            executor=self._executor,
            intake=self._intake,
            desk=self._desk,
            pause=pause,
            markers=self._markers,
        )

    # -- the loop -----------------------------------------------------------------------------

    def run(self, *, is_once: bool = False) -> bool:
        """Work until told to stop (or, with `is_once`, until the inbox is drained).

        Returns whether every job of this run came out well.

        Raises:
            LedgerLostError: a new supervisor has to begin with a new ledger; this one is closed.
        """
        try:
            self._begin()
            while (end := self._end_of_run(is_once=is_once)) is None:
                self.step(time.monotonic())
                self._sleep()
            self._shut_down(end)
        finally:
            self._close()
        is_good = not (self._has_failures or self._desk.has_failures)
        return is_good and end != "device_lost"

    def _begin(self) -> None:
        """Recover at once, or as soon as every folder is there."""
        with self._pausing():
            self._pause.look()
            if not self._pause:
                self._recover()

    def _end_of_run(self, *, is_once: bool) -> str | None:
        """Say why the run is over, or None; a service waits for a device, `--once` does not."""
        if self._signals.stops:
            return "signal"
        if self._signals.is_draining and not self._desk.running:
            return "drain"
        if is_once and self._executor.is_lost():
            return "device_lost"
        return "drained" if is_once and self._is_drained() else None

    def step(self, now: float) -> None:
        """Do what is due at `now`, in seconds of the monotonic clock."""
        self._reload_when_due()
        with self._pausing():
            for outcome in self._intake.step(now):
                self._admit(outcome)
        for event in self._executor.poll():
            with self._pausing():
                self._handle(event)
        with self._pausing():
            self._look_at_devices()
            if self._pause.may_end(now):
                self._resume()
            if not self._pause and now >= self._next_disposal:
                self._dispose_pending()
            self._claim()
            self._service.step(now)
            if self._ports.board is not None:
                self._ports.board.queue(self._ledger.count(JobState.QUEUED))

    def _reload_when_due(self) -> None:
        """Read the settings when asked to; let them come into force between two jobs."""
        if self._signals.wants_reload:
            self._signals.wants_reload = False
            self._reloader.read(self._settings)
        if self._reloader.pending is not None and not self._desk.running:
            self._has_failures |= self._desk.has_failures
            self._intake.stop()
            self._build(self._reloader.pending)
            logs.set_level(self._settings.logging.level)
            self._reloader.pending = None

    def _sleep(self) -> None:
        due_s = max(0.0, self._intake.next_due() - time.monotonic())
        pipes = [
            *self._executor.connections(),
            *self._intake.connections(),
            *self._service.connections(),
        ]
        self._signals.nap(pipes, min(due_s, _MAX_WAIT_S))

    def _is_drained(self) -> bool:
        """Tell whether nothing is left to do, by a scan made after the last job ended."""
        if self._ledger.count(*LIVE_STATES) or self._pause or not self._intake.is_settled:
            self._scans_while_busy = self._intake.scans
            return False
        if self._intake.scans == self._scans_while_busy:
            self._intake.scan_soon()
            return False
        return True

    def _shut_down(self, reason: str) -> None:
        self._ports.notifier.stopping(reason)
        self._log.info(Events.DAEMON_STOPPING, reason=reason)
        self._intake.stop()
        self._executor.cancel_all(
            is_urgent=lambda: self._signals.stops > 1, on_rung=self._tell_rung
        )
        with self._pausing():  # what cannot be recorded now, the next start finds
            for job in list(self._desk.running.values()):
                self._desk.put_back(job, Reason.STOPPING)
            self._service.finish(time.monotonic())

    def _tell_rung(self, rung: str, workers: int) -> None:
        self._log.info(Events.WORKERS_STOPPING, rung=rung, workers=workers)

    def _close(self) -> None:
        """Leave no process and no descriptor, however the run ended."""
        self._intake.stop()
        self._executor.cancel_all(is_urgent=lambda: True, on_rung=self._tell_rung)

    # -- what an earlier process, or a pause, left ----------------------------------------------

    def _recover(self) -> None:
        for job in self._ledger.undisposed():  # the crash may have kept its end from the log
            self._desk.end_again(job)
        self._finish_interrupted()
        self._publisher.remove_stale_parts()
        for job in self._ledger.in_state(JobState.RUNNING):
            self._desk.attempt_failed(job, Reason.INTERRUPTED, "the daemon ended while the job ran")
        self._is_recovered = True

    def _finish_interrupted(self) -> None:
        """Finish what a crash, or a fault of a disk, left between two states."""
        for job in self._ledger.in_state(JobState.PUBLISHING):
            with self._blaming(job):
                finished = self._publisher.finish(job)
                if finished.state is JobState.DONE:
                    self._desk.end_again(finished)
        self._dispose_pending()

    def _dispose_pending(self) -> None:
        self._next_disposal = time.monotonic() + _DISPOSAL_RETRY_S
        for job in self._ledger.undisposed():
            self._desk.dispose(job)

    def _resume(self) -> None:
        """Make good what the pause left, and let the queue go on if that went well."""
        reason, begun = self._pause.reason, self._pause.begun
        assert reason is not None
        self._ledger.prove()
        if not self._is_recovered:
            self._recover()
        self._finish_interrupted()
        for job in self._ledger.in_state(JobState.RUNNING):
            if job.id not in self._desk.running:  # the fault kept its end from the ledger
                self._desk.put_back(job, reason)
        if self._pause.begun == begun:
            self._pause.end()

    # -- files and jobs -----------------------------------------------------------------------

    def _admit(self, outcome: Outcome) -> None:
        self._metrics.file_seen(_RESULTS[type(outcome)])
        if isinstance(outcome, Queued):
            reach(Failpoint.QUEUED)
            self._desk.log.queued(outcome.job, outcome.info)
        elif isinstance(outcome, Refused):
            self._desk.fail(outcome.job, outcome.reason, outcome.message)
        elif isinstance(outcome, Ignored):
            self._log.info(Events.FILE_IGNORED, image=printable(outcome.rel))

    def _claim(self) -> None:
        while self._may_claim() and self._executor.has_room():
            job = self._ledger.claim(now=time.time())
            if job is None:
                return
            reach(Failpoint.CLAIMED)
            self._desk.take(job)
            with self._blaming(job):
                self._start(job)

    def _may_claim(self) -> bool:
        is_held = self._signals.is_draining or self._reloader.pending is not None
        return not (self._pause or is_held)

    def _start(self, job: Job) -> None:
        obstacle = self._find_obstacle()
        if obstacle is not None:
            self._desk.put_back(job, obstacle.reason)
            self._pause.begin(obstacle)
            return
        if not self._publisher.source_exists(job):
            self._desk.fail(job, Reason.SOURCE_GONE, "the file was taken away before its turn came")
            return
        try:
            own = resolve(self._settings, self._settings.folders.inbox, job.src_rel)
        except ImageSettingsError as error:
            self._desk.fail(job, error.reason, str(error))
            return
        self._start_with(
            own, self._ledger.use_settings(job.id, keep_settings(own.settings, self._ledger))
        )

    def _start_with(self, own: Resolved, job: Job) -> None:
        """Hand a job over whose settings are settled."""
        self._desk.take(job)
        width, height = own.settings.zssr.output_size(job.width or 1, job.height or 1)
        most = self._settings.limits.max_output_pixels  # the worker refuses what has more
        obstacle = find_obstacle(self._settings, min(width * height, most))
        if obstacle is not None:  # smaller ones behind it may have room
            self._desk.put_back(job, obstacle.reason, wait_s=_SPACE_RETRY_S)
            return
        order = order_for(job, self._settings, own, self._publisher, self._kernel)
        device = self._executor.submit(order)
        if device is None:
            self._desk.put_back(job, Reason.WORKER_GONE)
            return
        self._desk.log.started(job, device, own.settings.zssr, own.profiles)

    # -- what workers say ---------------------------------------------------------------------

    def _handle(self, event: ExecutorEvent) -> None:
        running = self._desk.running
        match event:
            case WorkerReady():
                self._log.info(Events.WORKER_READY, **asdict(event))
                self._metrics.worker_ready(event.torch_version)
            case WorkProgress():
                self._desk.progress(running[event.job_id], event)
            case WorkDone():
                job = running[event.job_id]
                with self._blaming(job):
                    self._publish(job, event)
            case WorkFailed():
                self._work_failed(running[event.job_id], event)
            case WorkCancelled():
                self._desk.put_back(running[event.job_id], Reason.CANCELLED)
            case WorkerEnded():
                self._worker_ended(event)
            case WorkerBroken():
                pass  # its end follows, with the reason

    def _publish(self, job: Job, done: WorkDone) -> None:
        try:
            job = self._publisher.publish(
                job, out_sha256=done.out_sha256, suffix=done.suffix, frames=done.frames
            )
        except SourceChangedError as error:
            self._source_changed(job, error)
            return
        self._desk.done(job, done.report)

    def _work_failed(self, job: Job, failed: WorkFailed) -> None:
        if failed.reason == SourceChangedError.reason:
            with self._blaming(job):
                self._source_changed(job, SourceChangedError(failed.message))
        elif failed.oserror_errno is not None:
            with self._blaming(job):
                raise OSError(failed.oserror_errno, failed.message)
        elif failed.is_retryable:
            self._desk.attempt_failed(job, failed.reason, failed.message)
        else:
            self._desk.fail(job, failed.reason, failed.message)

    def _source_changed(self, job: Job, error: SourceChangedError) -> None:
        self._desk.source_changed(job, error)
        self._intake.scan_soon()

    def _worker_ended(self, ended: WorkerEnded) -> None:
        tell = self._log.info if ended.reason is WorkerEnd.RECYCLE else self._log.warning
        tell(Events.WORKER_RESTARTED, reason=ended.reason, message=ended.message)
        self._metrics.worker_restarted(ended.reason)
        self._device_fault = ended.message
        job = self._desk.running.get(ended.job_id or "")
        if job is not None:
            self._desk.attempt_failed(job, ended.reason.blame, ended.message)

    # -- pauses -------------------------------------------------------------------------------

    def _find_obstacle(self) -> Obstacle | None:
        obstacle = find_obstacle(self._settings, markers=self._markers)
        return obstacle or self._lost_device()

    def _lost_device(self) -> Obstacle | None:
        return (
            Obstacle(Reason.DEVICE_LOST, self._device_fault) if self._executor.is_lost() else None
        )

    def _look_at_devices(self) -> None:
        if not self._pause and (obstacle := self._lost_device()) is not None:
            self._pause.begin(obstacle)

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        """Turn a fault of disks or folders into a pause: no job is to blame for it."""
        try:
            yield
        except OSError as error:
            self._pause.begin_for(error)

    @contextmanager
    def _blaming(self, job: Job) -> Iterator[None]:
        """Turn a fault of disks or folders into a pause; where they are well, it is the job's."""
        try:
            yield
        except OSError as error:
            obstacle = self._pause.explain(error)
            if obstacle is None:
                self._desk.attempt_failed(job, Reason.IO_ERROR, str(error))
            else:
                self._pause.begin(obstacle)
                self._desk.put_back(job, obstacle.reason)
