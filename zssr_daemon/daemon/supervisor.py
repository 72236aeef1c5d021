"""Supervisor: the loop that moves jobs through the ledger; it never decodes and never computes.

`step` is one tick and returns at once; `run` is the only loop.
"""

import time
from enum import StrEnum

from zssr_daemon.daemon.context import Context
from zssr_daemon.daemon.control.admin import Admin
from zssr_daemon.daemon.control.answers import Answers
from zssr_daemon.daemon.control.canceller import Canceller
from zssr_daemon.daemon.control.requests import Requests
from zssr_daemon.daemon.dispatcher import Dispatcher
from zssr_daemon.daemon.job_lifecycle import JobLifecycle
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.daemon.recovery import Recovery
from zssr_daemon.daemon.reload import Reloader
from zssr_daemon.daemon.status_reporter import Parts, StatusReporter
from zssr_daemon.daemon.worker_events import WorkerEvents
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import Executor, WorkerEnd, WorkerEnded
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.folders.markers import Markers
from zssr_daemon.folders.obstacle import Obstacle, find_obstacle, lost_children
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.job import LIVE_STATES, JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.disposal import Disposer
from zssr_daemon.publish.expiry import Expirer
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.publish.sources import Sources
from zssr_daemon.settings.image_settings import Resolver
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events

#: The longest nap: silent workers and passed deadlines are noticed at least this often.
_MAX_NAP_S = 1.0


class RunEnd(StrEnum):
    """Why a run of the daemon ends."""

    SIGNAL = "signal"
    TERMINAL_CLOSED = "terminal_closed"
    DRAIN = "drain"  # somebody asked for it, and the jobs in work are done
    DRAINED = "drained"  # `--once`: nothing is left to do
    DEVICE_LOST = "device_lost"  # `--once`: no device can be used
    CHILDREN_UNAVAILABLE = "children_unavailable"  # `--once`: no child process can start


class Supervisor:
    """One daemon on one set of folders."""

    def __init__(
        self, settings: Settings, ledger: Ledger, executor: Executor, context: Context
    ) -> None:
        self._ledger = ledger
        self._executor = executor
        self._context = context
        self._signals = context.signals
        self._metrics = context.metrics
        self._log = logs.get_logger()
        self._markers = Markers(ledger)
        self._expirer = Expirer(settings.folders.output, ledger, self._markers)
        self._pause = Pause(self._find_obstacle)
        self._reloader = Reloader(context.load_settings, context.notifier)
        self._has_failures = False
        self._build(settings)
        nobody_yet = "no worker runs here, and no gateway has offered one yet"
        self._worker_end = WorkerEnded(WorkerEnd.DEVICE_LOST, None, nobody_yet)  # the last
        self._is_recovered = False
        self._scans_while_busy = 0

    def _build(self, settings: Settings) -> None:
        """Make the parts that depend on the settings."""
        ledger = self._ledger
        self._settings = settings
        resolver = Resolver(settings, settings.folders.inbox, self._context.kernel)
        job_settings = JobSettings(ledger, settings)
        sources = Sources(settings.folders.inbox, ledger, self._markers)
        of_files = (ledger, self._markers, job_settings, sources)
        publisher = Publisher(settings.folders, *of_files)
        disposer = Disposer.of(settings, *of_files)
        self._jobs = JobLifecycle(
            settings=settings,
            ledger=ledger,
            publisher=publisher,
            disposer=disposer,
            sources=sources,
            pause=self._pause,
            context=self._context,
        )
        self._recovery = Recovery(ledger, publisher, self._jobs)
        self._intake = Intake(
            settings,
            ledger,
            resolver,
            job_settings,
            self._signals.wake,
            is_disk_well=self._is_disk_well,
        )
        self._dispatcher = Dispatcher(
            settings=settings,
            executor=self._executor,
            sources=sources,
            publisher=publisher,
            jobs=self._jobs,
            resolver=resolver,
            job_settings=job_settings,
        )
        self._worker_events = WorkerEvents(
            self._jobs, publisher, self._metrics, self._intake.scan_soon
        )
        self._admin = self._build_admin(settings, job_settings)

    def _build_admin(self, settings: Settings, job_settings: JobSettings) -> Admin:
        parts = Parts(
            ledger=self._ledger,
            executor=self._executor,
            intake=self._intake,
            lifecycle=self._jobs,
            pause=self._pause,
            signals=self._signals,
        )
        reporter = StatusReporter(parts, scan_interval_s=settings.watch.scan_interval_s)
        requests = Requests(
            signals=self._signals,
            reporter=reporter,
            intake=self._intake,
            retrier=Retrier(settings.folders, self._ledger, self._markers),
            canceller=Canceller(self._ledger, self._jobs, self._executor),
            answers=Answers(self._ledger, job_settings, self._intake),
        )
        return Admin(self._context, reporter, self._intake, requests)

    # -- the loop -----------------------------------------------------------------------------

    def run(self, *, is_once: bool = False) -> bool:
        """Work until told to stop (or, with `is_once`, until the inbox is drained).

        Returns whether every job of this run came out well.

        Raises:
            LedgerLostError: the ledger is gone; the caller starts a new supervisor on a new one.
        """
        try:
            self._begin()
            while (end := self._end_of_run(is_once=is_once)) is None:
                self.step(time.monotonic())
                self._sleep()
            self._shut_down(end)
        finally:
            self._close()
        is_good = not (self._has_failures or self._jobs.has_failures)
        return is_good and end not in {RunEnd.DEVICE_LOST, RunEnd.CHILDREN_UNAVAILABLE}

    def _begin(self) -> None:
        """Recover now if every folder is there; otherwise at the end of the pause that begins."""
        with self._pause.beginning():
            self._pause.look()
            if not self._pause:
                self._recover()

    def _recover(self) -> None:
        self._recovery.after_start()
        self._is_recovered = True

    def _end_of_run(self, *, is_once: bool) -> RunEnd | None:
        """Return why the run is over, or None; a service waits for lost children, `--once` ends."""
        if self._signals.stops:
            return RunEnd.TERMINAL_CLOSED if self._signals.is_hung_up else RunEnd.SIGNAL
        if self._signals.is_draining and self._jobs.is_idle:
            return RunEnd.DRAIN
        if is_once and (obstacle := self._lost_children()) is not None:
            return RunEnd(obstacle.reason)
        return RunEnd.DRAINED if is_once and self._is_drained() else None

    def step(self, now: float) -> None:
        """Do everything that is due at `now`, in seconds of the monotonic clock."""
        self._reload_when_due()
        with self._pause.beginning():
            for outcome in self._intake.step(now):
                self._jobs.admit(outcome)
        for event in self._executor.poll():
            with self._pause.beginning():
                if isinstance(event, WorkerEnded):
                    self._worker_end = event
                self._worker_events.handle(event)
        with self._pause.beginning():
            self._look_at_children()
            if self._pause.may_end(now):
                self._resume()
            if not self._pause:
                self._recovery.dispose_when_due(now)
                for job in self._expirer.step(now, time.time()):
                    self._jobs.result_expired(job)
            self._claim()
            self._admin.step(now)
            if self._context.board is not None:
                self._context.board.queue(self._ledger.count(JobState.QUEUED))

    def _reload_when_due(self) -> None:
        """Read the settings when asked to; put them into force while no job is in work."""
        if self._signals.wants_reload:
            self._signals.wants_reload = False
            self._reloader.read(self._settings)
        if self._reloader.pending is not None and self._jobs.is_idle:
            self._has_failures |= self._jobs.has_failures
            self._intake.stop()
            self._build(self._reloader.pending)
            logs.set_level(self._settings.logging.level)
            self._reloader.pending = None

    def _sleep(self) -> None:
        due_s = max(0.0, self._intake.next_due() - time.monotonic())
        pipes = [
            *self._executor.connections(),
            *self._intake.connections(),
            *self._admin.connections(),
        ]
        unsent = [*self._executor.unsent(), *self._admin.unsent()]
        self._signals.nap(pipes, min(due_s, _MAX_NAP_S), unsent=unsent)

    def _is_drained(self) -> bool:
        """Tell whether nothing is left to do, as a scan after the end of the last job confirms."""
        if self._ledger.count(*LIVE_STATES) or self._pause or not self._intake.is_settled:
            self._scans_while_busy = self._intake.scans
            return False
        if self._intake.scans == self._scans_while_busy:
            self._intake.scan_soon()
            return False
        return True

    def _shut_down(self, reason: RunEnd) -> None:
        self._context.notifier.stopping(reason)
        self._log.info(Events.DAEMON_STOPPING, reason=reason)
        self._intake.stop()
        self._executor.cancel_all(is_urgent=lambda: self._signals.stops > 1, on_rung=self._log_rung)
        with self._pause.beginning():  # the next start finds what cannot be recorded now
            for running in self._jobs.running():
                self._jobs.put_back(running.job, Reason.STOPPING)
            self._admin.finish(time.monotonic())

    def _log_rung(self, rung: str, workers: int) -> None:
        self._log.info(Events.WORKERS_STOPPING, rung=rung, workers=workers)

    def _close(self) -> None:
        """Leave no process and no descriptor open, however the run ended."""
        self._intake.stop()
        self._executor.cancel_all(is_urgent=lambda: True, on_rung=self._log_rung)

    # -- files and jobs -----------------------------------------------------------------------

    def _claim(self) -> None:
        while self._may_claim() and self._executor.has_room():
            job = self._ledger.claim(now=time.time())
            if job is None:
                return
            reach(Failpoint.CLAIMED)
            self._jobs.take(job)
            with self._jobs.judging_faults(job):
                obstacle = self._find_obstacle()
                if obstacle is None:
                    self._dispatcher.start(job)
                else:
                    self._jobs.put_back(job, obstacle.reason)
                    self._pause.begin(obstacle)

    def _may_claim(self) -> bool:
        is_held = self._signals.is_draining or self._reloader.pending is not None
        return not (self._pause or is_held)

    # -- pauses -------------------------------------------------------------------------------

    def _find_obstacle(self) -> Obstacle | None:
        lock = self._context.inbox_lock
        obstacle = find_obstacle(self._settings, markers=self._markers, inbox_lock=lock)
        return obstacle or self._lost_children()

    def _is_disk_well(self) -> bool:
        """Tell whether folders and disks are well; otherwise the queue pauses."""
        self._pause.look()
        return not self._pause

    def _lost_children(self) -> Obstacle | None:
        is_lost = self._executor.is_lost()
        return lost_children(self._worker_end if is_lost else None, self._intake.probe_fault)

    def _look_at_children(self) -> None:
        if not self._pause and (obstacle := self._lost_children()) is not None:
            self._pause.begin(obstacle)

    def _resume(self) -> None:
        """Finish what the pause left unfinished, and let the queue go on if that went well."""
        reason, begins = self._pause.reason, self._pause.begins
        assert reason is not None
        self._ledger.prove()
        if not self._is_recovered:
            self._recover()
        self._recovery.after_pause(reason)
        if self._pause.begins == begins:  # no new obstacle meanwhile
            self._pause.end()
