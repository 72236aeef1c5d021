"""Supervisor: the loop that moves jobs through the ledger; it never decodes and never computes.

`step` is one tick and returns at once; `run` is the only loop. Signal handlers set flags.
"""

import errno
import hashlib
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import wait
from typing import Any, Protocol

from zssr_daemon import logs
from zssr_daemon.errors import JobError, SourceChangedError
from zssr_daemon.executor import Event, Executor, WorkerEnded
from zssr_daemon.intake import Ignored, Intake, Outcome, Queued, Refused, image_limits, output_rules
from zssr_daemon.job_log import JobLog
from zssr_daemon.jobs import LIVE_STATES, Job, JobState
from zssr_daemon.ledger import Ledger
from zssr_daemon.logs import Events
from zssr_daemon.messages import (
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
from zssr_daemon.publish import Publisher
from zssr_daemon.settings import Settings

#: The longest nap: silent workers and passed deadlines are noticed at least this often.
_MAX_WAIT_S = 1.0

#: While paused, look this often whether the obstacle is gone.
_PAUSE_CHECK_S = 5.0

#: A failed attempt waits `retry_after_s`, doubling with each further one, up to this.
_MAX_RETRY_S = 3600.0

#: A source that cannot be moved out of the inbox is tried again after this.
_DISPOSAL_RETRY_S = 60.0

#: A job too large for the free disk lets the others pass, and asks again after this.
_SPACE_RETRY_S = 60.0

_DISK_FAULTY = frozenset({errno.EIO, errno.EROFS, errno.ESTALE, errno.EBUSY})
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Board(Protocol):
    """Where people see progress."""

    def show(self, job: Job, progress: WorkProgress, eta_s: float | None) -> None:
        """Show how far a job is."""

    def clear(self, key: str) -> None:
        """Take a job that ended, or went back, off the board; `key` is its id."""

    def queue(self, waiting: int) -> None:
        """Show how many jobs wait."""


class Supervisor:
    """One daemon on one set of folders."""

    def __init__(
        self, settings: Settings, ledger: Ledger, executor: Executor, board: Board | None = None
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._executor = executor
        self._board = board
        self._log = logs.get_logger()
        self._job_log = JobLog(settings.logging.progress_interval_s)
        self._publisher = Publisher(settings, ledger)
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._intake = Intake(settings, ledger, self._wake)
        self._running: dict[str, Job] = {}
        self._pause: Obstacle | None = None
        self._pause_check = 0.0
        self._next_disposal = 0.0
        self._stops = 0
        self._scans_while_busy = 0
        self._has_failures = False

    # -- the loop -----------------------------------------------------------------------------

    def run(self, *, is_once: bool = False) -> bool:
        """Work until told to stop (or, with `is_once`, until the inbox is drained).

        Returns whether every job of this run came out well.
        """
        self._recover()
        while (end := self._end_of_run(is_once=is_once)) is None:
            self.step(time.monotonic())
            self._sleep()
        self._shut_down(end)
        return not self._has_failures and end != "device_lost"

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
            self._try_to_resume(now)
            if self._pause is None and now >= self._next_disposal:
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
        self._executor.cancel_all(is_urgent=lambda: self._stops > 1)
        for job in list(self._running.values()):
            self._put_back(job, "stopping")

    def _recover(self) -> None:
        with self._pausing():
            for job in self._ledger.undisposed():  # the crash may have kept its end from the log
                self._tell_end(self._dispose(job))
            self._finish_interrupted()
            if self._pause is None:
                self._publisher.remove_stale_parts()
            for job in self._ledger.in_state(JobState.RUNNING):
                self._attempt_failed(job, "interrupted", "the daemon ended while the job ran")

    def _finish_interrupted(self) -> None:
        """Finish what a crash, or a fault of a disk, left between two states."""
        for job in self._ledger.in_state(JobState.PUBLISHING):
            with self._blaming(job):
                finished = self._publisher.finish(job)
                if finished.state is JobState.DONE:
                    self._tell_end(self._dispose(finished))
        self._dispose_pending()

    def _tell_end(self, job: Job) -> None:
        """Log the end of a job that an interruption kept from the log; a line may repeat."""
        if job.state is JobState.DONE:
            self._job_log.recovered(job)
        else:
            self._job_log.failed(job)

    # -- files and jobs -----------------------------------------------------------------------

    def _admit(self, outcome: Outcome) -> None:
        if isinstance(outcome, Queued):
            self._job_log.queued(outcome.job, outcome.info)
        elif isinstance(outcome, Refused):
            self._fail(outcome.job, outcome.reason, outcome.message)
        elif isinstance(outcome, Ignored):
            self._log.info(Events.FILE_IGNORED, image=printable(outcome.rel))

    def _claim(self) -> None:
        while self._pause is None and self._executor.has_room():
            job = self._ledger.claim(now=time.time(), settings_hash=_hash_of(self._settings))
            if job is None:
                return
            self._running[job.id] = job
            with self._blaming(job):
                self._start(job)

    def _start(self, job: Job) -> None:
        if not self._publisher.source_exists(job):
            self._fail(job, "source_gone", "the file was taken away before its turn came")
            return
        obstacle = find_obstacle(self._settings)
        if obstacle is not None:
            self._put_back(job, obstacle.reason)
            self._begin_pause(obstacle)
            return
        width, height = self._settings.zssr.output_size(job.width or 1, job.height or 1)
        obstacle = find_obstacle(self._settings, width * height)
        if obstacle is not None:  # smaller ones behind it may have room
            self._put_back(job, obstacle.reason, wait_s=_SPACE_RETRY_S)
            return
        device = self._executor.submit(self._order(job))
        self._job_log.started(job, device, self._settings.zssr)

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
        match event:
            case WorkerReady():
                self._log.info(Events.WORKER_READY, **asdict(event))
            case WorkProgress():
                self._progress(self._running[event.job_id], event)
            case WorkDone():
                job = self._running[event.job_id]
                with self._blaming(job):
                    self._publish(job, event)
            case WorkFailed():
                self._work_failed(self._running[event.job_id], event)
            case WorkCancelled():
                self._put_back(self._running[event.job_id], "cancelled")
            case WorkerEnded():
                self._worker_ended(event)
            case WorkerBroken():
                pass  # its end follows, with the reason

    def _progress(self, job: Job, progress: WorkProgress) -> None:
        eta_s = progress.eta_s(time.time() - (job.started_at or time.time()))
        self._job_log.progress(job, progress, eta_s)
        if self._board is not None:
            self._board.show(job, progress, eta_s)

    def _publish(self, job: Job, done: WorkDone) -> None:
        try:
            job = self._publisher.publish(
                job, out_sha256=done.out_sha256, suffix=done.suffix, frames=done.frames
            )
        except SourceChangedError as error:
            self._source_changed(job, error)
            return
        self._take_off(job)
        job = self._dispose(job)
        self._job_log.done(job, done.report, self._settings.zssr)

    def _work_failed(self, job: Job, failed: WorkFailed) -> None:
        if failed.reason == SourceChangedError.reason:
            self._source_changed(job, SourceChangedError(failed.message))
        elif failed.is_retryable:
            self._attempt_failed(job, failed.reason, failed.message)
        else:
            self._fail(job, failed.reason, failed.message)

    def _worker_ended(self, ended: WorkerEnded) -> None:
        self._log.warning(Events.WORKER_RESTARTED, reason=ended.reason, message=ended.message)
        job = self._running.get(ended.job_id or "")
        if job is not None:
            self._attempt_failed(job, f"worker_{ended.reason}", ended.message)

    # -- ways a job goes on -------------------------------------------------------------------

    def _attempt_failed(self, job: Job, reason: str, message: str) -> None:
        """Try again later, or give up after `max_attempts`."""
        if job.attempts >= self._settings.limits.max_attempts:
            self._fail(job, reason, message)
            return
        self._take_off(job)
        self._publisher.discard_part(job)
        doublings = max(0, job.attempts - 1)
        wait_s = min(_MAX_RETRY_S, self._settings.limits.retry_after_s * 2**doublings)
        self._ledger.retry(job.id, not_before=time.time() + wait_s, reason=reason, message=message)
        self._job_log.retried(job, reason, message, wait_s)

    def _fail(self, job: Job, reason: str, message: str) -> None:
        self._has_failures = True
        self._take_off(job)
        job = self._ledger.fail(job.id, now=time.time(), reason=reason, message=message)
        self._publisher.discard_part(job)
        job = self._dispose(job)
        self._job_log.failed(job)

    def _put_back(self, job: Job, reason: str, *, wait_s: float = 0.0) -> None:
        """Queue an interrupted job again, for in `wait_s` at the earliest; no attempt counts."""
        self._take_off(job)
        if self._ledger.get(job.id).state is JobState.PUBLISHING:
            return  # its output may have its name already: it is finished, not repeated
        self._publisher.discard_part(job)
        not_before = time.time() + wait_s if wait_s else 0.0  # a clock set back delays nobody
        self._ledger.requeue(job.id, not_before=not_before)
        self._job_log.retried(job, reason, "interrupted, not at fault", wait_s)

    def _source_changed(self, job: Job, error: JobError) -> None:
        """Let the changed file settle anew; it will be a job of its own."""
        self._take_off(job)
        self._publisher.discard_part(job)
        self._ledger.forget(job.id)
        self._job_log.retried(job, error.reason, str(error), 0.0)
        self._intake.scan_soon()

    def _dispose(self, job: Job) -> Job:
        """Move an ended job's source away; where that cannot be now, it is tried again."""
        try:
            return self._publisher.dispose(job)
        except OSError as error:
            obstacle = self._obstacle_behind(error)
            if obstacle is None:
                self._job_log.disposal_delayed(job, str(error))
            else:
                self._begin_pause(obstacle)
            return job

    def _dispose_pending(self) -> None:
        self._next_disposal = time.monotonic() + _DISPOSAL_RETRY_S
        for job in self._ledger.undisposed():
            self._dispose(job)

    def _take_off(self, job: Job) -> None:
        self._running.pop(job.id, None)
        if self._board is not None:
            self._board.clear(job.id)

    # -- pauses -------------------------------------------------------------------------------

    @contextmanager
    def _pausing(self) -> Iterator[None]:
        """Turn a fault of disks or folders into a pause: no job is to blame for it."""
        try:
            yield
        except OSError as error:
            unknown = Obstacle("folder_missing", str(error))
            self._begin_pause(self._obstacle_behind(error) or unknown)

    @contextmanager
    def _blaming(self, job: Job) -> Iterator[None]:
        """Turn a fault of disks or folders into a pause; where they are well, it is the job's."""
        try:
            yield
        except OSError as error:
            obstacle = self._obstacle_behind(error)
            if obstacle is None:
                self._attempt_failed(job, "io_error", str(error))
            else:
                self._begin_pause(obstacle)
                self._put_back(job, obstacle.reason)

    def _obstacle_behind(self, error: OSError) -> Obstacle | None:
        """Say what in the surroundings explains `error`; None when it is about one file."""
        obstacle = find_obstacle(self._settings)
        if obstacle is None and error.errno in _DISK_FULL:
            obstacle = Obstacle("disk_full", str(error))
        if obstacle is None and error.errno in _DISK_FAULTY:
            obstacle = Obstacle("folder_missing", str(error))
        return obstacle

    def _begin_pause(self, obstacle: Obstacle) -> None:
        self._pause_check = time.monotonic() + _PAUSE_CHECK_S
        if self._pause is None:
            self._log.warning(Events.PAUSED, reason=obstacle.reason, message=obstacle.message)
        self._pause = obstacle

    def _try_to_resume(self, now: float) -> None:
        if self._pause is None or now < self._pause_check:
            return
        self._pause_check = now + _PAUSE_CHECK_S
        if find_obstacle(self._settings) is not None:
            return
        before = self._pause
        self._finish_interrupted()
        for job in self._ledger.in_state(JobState.RUNNING):
            if job.id not in self._running:  # the fault kept its end from the ledger
                self._put_back(job, before.reason)
        if self._pause is before:
            self._log.info(Events.RESUMED, reason=before.reason)
            self._pause = None


def _hash_of(settings: Settings) -> str:
    """Name the settings that shape the output, in 16 hex digits."""
    shaping: dict[str, Any] = {
        "zssr": asdict(settings.zssr),
        "output": settings.output.model_dump(),
    }
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:16]
