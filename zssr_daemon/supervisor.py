"""Supervisor: the loop that moves jobs through the ledger; it never decodes and never computes.

`step` is one tick and returns at once; `run` is the only loop. Signal handlers set flags.
"""

import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import wait
from typing import Any

from zssr_daemon import logs
from zssr_daemon.desk import Board, Desk
from zssr_daemon.errors import SourceChangedError
from zssr_daemon.executor import Event, Executor, WorkerEnded
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.intake import Ignored, Intake, Outcome, Queued, Refused, image_limits, output_rules
from zssr_daemon.jobs import LIVE_STATES, Job, JobState
from zssr_daemon.ledger import Ledger
from zssr_daemon.logs import Events
from zssr_daemon.marker import Markers
from zssr_daemon.messages import (
    KernelFile,
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.names import printable
from zssr_daemon.obstacle import Obstacle, find_obstacle
from zssr_daemon.pause import Pause
from zssr_daemon.publish import Publisher
from zssr_daemon.settings import Settings

#: The longest nap: silent workers and passed deadlines are noticed at least this often.
_MAX_WAIT_S = 1.0

#: A source that cannot be moved out of the inbox is tried again after this.
_DISPOSAL_RETRY_S = 60.0

#: A job too large for the free disk lets the others pass, and asks again after this.
_SPACE_RETRY_S = 20.0


class Supervisor:
    """One daemon on one set of folders."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        executor: Executor,
        board: Board | None = None,
        *,
        kernel: KernelFile | None = None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._executor = executor
        self._board = board
        self._kernel = kernel
        self._log = logs.get_logger()
        self._markers = Markers(ledger)
        self._publisher = Publisher(settings, ledger, self._markers)
        self._pause = Pause(self._find_obstacle)
        self._desk = Desk(settings, ledger, self._publisher, self._pause, board)
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._intake = Intake(settings, ledger, self._wake)
        self._device_fault = ""  # what the last worker that could not begin had to say
        self._is_recovered = False
        self._next_disposal = 0.0
        self._stops = 0
        self._scans_while_busy = 0

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
        return not self._desk.has_failures and end != "device_lost"

    def _begin(self) -> None:
        """Recover at once, or as soon as every folder is there."""
        with self._pausing():
            self._pause.look()
            if not self._pause:
                self._recover()

    def _end_of_run(self, *, is_once: bool) -> str | None:
        """Say why the run is over, or None; a service waits for a device, `--once` does not."""
        if self._stops:
            return "signal"
        if is_once and self._executor.is_lost():
            return "device_lost"
        return "drained" if is_once and self._is_drained() else None

    def step(self, now: float) -> None:
        """Do what is due at `now`, in seconds of the monotonic clock."""
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
            if self._board is not None:
                self._board.queue(self._ledger.count(JobState.QUEUED))

    def request_stop(self) -> None:
        """End the loop after this tick; asked twice, do not wait for the workers' steps."""
        self._stops += 1
        self._wake()

    def handle_signals(self) -> None:
        """Let SIGTERM and SIGINT request a stop."""
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.request_stop())

    def _sleep(self) -> None:
        due_s = max(0.0, self._intake.next_due() - time.monotonic())
        pipes = [*self._executor.connections(), *self._intake.connections()]
        ready = wait([*pipes, self._wake_reader], timeout=min(due_s, _MAX_WAIT_S))
        if self._wake_reader in ready:
            os.read(self._wake_reader, 65536)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the pipe is full of wake-ups already
            os.write(self._wake_writer, b"\0")

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
        self._log.info(Events.DAEMON_STOPPING, reason=reason)
        self._intake.stop()
        self._executor.cancel_all(is_urgent=lambda: self._stops > 1, on_rung=self._tell_rung)
        with self._pausing():  # what cannot be recorded now, the next start finds
            for job in list(self._desk.running.values()):
                self._desk.put_back(job, "stopping")

    def _tell_rung(self, rung: str, workers: int) -> None:
        self._log.info(Events.WORKERS_STOPPING, rung=rung, workers=workers)

    def _close(self) -> None:
        """Leave no process and no descriptor, however the run ended."""
        self._intake.stop()
        self._executor.cancel_all(is_urgent=lambda: True, on_rung=self._tell_rung)
        signal.set_wakeup_fd(-1)
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    # -- what an earlier process, or a pause, left ----------------------------------------------

    def _recover(self) -> None:
        for job in self._ledger.undisposed():  # the crash may have kept its end from the log
            self._desk.end_again(job)
        self._finish_interrupted()
        self._publisher.remove_stale_parts()
        for job in self._ledger.in_state(JobState.RUNNING):
            self._desk.attempt_failed(job, "interrupted", "the daemon ended while the job ran")
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
        reason, begun = self._pause.reason or "", self._pause.begun
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
        if isinstance(outcome, Queued):
            reach(Failpoint.QUEUED)
            self._desk.log.queued(outcome.job, outcome.info)
        elif isinstance(outcome, Refused):
            self._desk.fail(outcome.job, outcome.reason, outcome.message)
        elif isinstance(outcome, Ignored):
            self._log.info(Events.FILE_IGNORED, image=printable(outcome.rel))

    def _claim(self) -> None:
        while not self._pause and self._executor.has_room():
            job = self._ledger.claim(now=time.time(), settings_hash=_hash_of(self._settings))
            if job is None:
                return
            reach(Failpoint.CLAIMED)
            self._desk.take(job)
            with self._blaming(job):
                self._start(job)

    def _start(self, job: Job) -> None:
        obstacle = self._find_obstacle()
        if obstacle is not None:
            self._desk.put_back(job, obstacle.reason)
            self._pause.begin(obstacle)
            return
        if not self._publisher.source_exists(job):
            self._desk.fail(job, "source_gone", "the file was taken away before its turn came")
            return
        width, height = self._settings.zssr.output_size(job.width or 1, job.height or 1)
        obstacle = find_obstacle(self._settings, width * height)
        if obstacle is not None:  # smaller ones behind it may have room
            self._desk.put_back(job, obstacle.reason, wait_s=_SPACE_RETRY_S)
            return
        device = self._executor.submit(self._order(job))
        if device is None:
            self._desk.put_back(job, "worker_gone")
            return
        self._desk.log.started(job, device, self._settings.zssr)

    def _order(self, job: Job) -> WorkOrder:
        return WorkOrder(
            job_id=job.id,
            inbox=str(self._settings.folders.inbox),
            src_rel=job.src_rel,
            identity=job.identity,
            part=str(self._publisher.part_path(job)),
            config=self._settings.zssr,
            limits=image_limits(self._settings),
            output=output_rules(self._settings),
            weights_folder=self._weights_folder(job),
            kernel=self._kernel,
            kernel_phase=self._settings.degradation.kernel_phase,
        )

    def _weights_folder(self, job: Job) -> str | None:
        """Name the place of what earlier jobs of the same sub-folder and settings learnt."""
        if self._settings.worker.warm_start == "off":
            return None
        group = os.fsencode(os.path.dirname(job.src_rel)) + (job.settings_hash or "").encode()  # noqa: PTH120
        name = hashlib.sha256(group).hexdigest()[:16]
        return str(self._settings.folders.state / "weights" / name)

    # -- what workers say ---------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        running = self._desk.running
        match event:
            case WorkerReady():
                self._log.info(Events.WORKER_READY, **asdict(event))
            case WorkProgress():
                self._desk.progress(running[event.job_id], event)
            case WorkDone():
                job = running[event.job_id]
                with self._blaming(job):
                    self._publish(job, event)
            case WorkFailed():
                self._work_failed(running[event.job_id], event)
            case WorkCancelled():
                self._desk.put_back(running[event.job_id], "cancelled")
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
        tell = self._log.info if ended.reason == "recycle" else self._log.warning
        tell(Events.WORKER_RESTARTED, reason=ended.reason, message=ended.message)
        self._device_fault = ended.message
        job = self._desk.running.get(ended.job_id or "")
        if job is not None:
            self._desk.attempt_failed(job, f"worker_{ended.reason}", ended.message)

    # -- pauses -------------------------------------------------------------------------------

    def _find_obstacle(self) -> Obstacle | None:
        obstacle = find_obstacle(self._settings, markers=self._markers)
        return obstacle or self._lost_device()

    def _lost_device(self) -> Obstacle | None:
        return Obstacle("device_lost", self._device_fault) if self._executor.is_lost() else None

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
                self._desk.attempt_failed(job, "io_error", str(error))
            else:
                self._pause.begin(obstacle)
                self._desk.put_back(job, obstacle.reason)


def _hash_of(settings: Settings) -> str:
    """Name the settings that shape the output, in 16 hex digits."""
    shaping: dict[str, Any] = {
        "zssr": asdict(settings.zssr),
        "output": settings.output.model_dump(),
        "degradation": settings.degradation.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:16]
