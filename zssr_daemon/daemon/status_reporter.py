"""StatusReporter: what the daemon is doing, and whether all its parts are alive."""

import os
import time
from dataclasses import replace

from zssr_daemon import __version__
from zssr_daemon.daemon.job_lifecycle import Desk
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import Executor
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry.status import DaemonPhase, JobStatus, PauseStatus, Status, WorkerStatus

#: A write to the ledger is tried this often, and must have succeeded within the second.
_PROVE_S = 30.0

_PROVEN_S = 60.0

#: The inbox must have been looked at within so many intervals, or at least within this time.
_SCAN_INTERVALS = 3

_SCAN_S = 30.0


class Overview:
    """Looks at the parts of a supervisor; changes nothing."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        executor: Executor,
        intake: Intake,
        desk: Desk,
        pause: Pause,
        signals: Signals,
    ) -> None:
        self._ledger = ledger
        self._executor = executor
        self._intake = intake
        self._desk = desk
        self._pause = pause
        self._signals = signals
        self._started_at = time.time()

    def status(self, faults: tuple[str, ...], *, is_ready: bool) -> Status:
        """Return the status; the caller knows what is at fault, and whether the start is over."""
        return Status(
            version=__version__,
            phase=self._phase(is_ready=is_ready),
            pid=os.getpid(),
            started_at=self._started_at,
            faults=faults,
            pause=_pause_status(self._pause),
            workers=self.workers(),
            jobs=tuple(self._job(job) for job in self._desk.running.values()),
            settling=self._intake.settling,
            queued=self._ledger.count(JobState.QUEUED),
            failed=self._ledger.count(JobState.FAILED),
            oldest_queued_at=self._ledger.oldest_queued_at(),
            last_scan_at=self._intake.last_scan_at,
            watch=self._intake.watch,
        )

    def publishing(self) -> int:
        """Return how many outputs are between their name and their end."""
        return self._ledger.count(JobState.PUBLISHING)

    def workers(self) -> tuple[WorkerStatus, ...]:
        """Return how the workers are."""
        return tuple(self._executor.workers())

    def _phase(self, *, is_ready: bool) -> DaemonPhase:
        if self._signals.is_draining:
            return "draining"
        if self._pause:
            return "paused"
        return "running" if is_ready else "starting"

    def _job(self, job: Job) -> JobStatus:
        status = JobStatus(
            job_id=job.id,
            image=printable(job.src_rel),
            attempt=job.attempts,
            started_at=job.started_at or 0.0,
        )
        told = self._desk.told.get(job.id)
        if told is None:
            return status
        progress, eta_s = told
        return replace(
            status,
            stage=progress.stage,
            step=progress.step,
            steps=progress.steps,
            fraction=progress.fraction,
            loss=progress.loss,
            eta_s=eta_s,
        )


def _pause_status(pause: Pause) -> PauseStatus | None:
    if pause.obstacle is None:
        return None
    obstacle = pause.obstacle
    return PauseStatus(reason=obstacle.reason, message=obstacle.message, since=pause.since)


class Health:
    """Watches one supervisor's parts. Times are seconds of the caller's monotonic clock."""

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        pause: Pause,
        overview: Overview,
        *,
        scan_interval_s: float,
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._pause = pause
        self._overview = overview
        self._scan_limit_s = max(_SCAN_INTERVALS * scan_interval_s, _SCAN_S)
        self._proven_s: float | None = None
        self._next_proof_s = 0.0

    def step(self, now: float) -> None:
        """Try a write to the ledger when it is due.

        Raises:
            OSError: it failed.
            LedgerLostError: the ledger is gone.
        """
        if now >= self._next_proof_s:
            self._next_proof_s = now + _PROVE_S
            self._ledger.prove()
            self._proven_s = now

    @property
    def has_begun(self) -> bool:
        """Whether the start is over: the inbox was looked at and a worker answered, or a pause."""
        if self._pause:
            return True
        return self._intake.scans > 0 and any(w.is_ready for w in self._overview.workers())

    def faults(self, now: float) -> tuple[str, ...]:
        """Say what is not alive; a declared pause excuses what it explains."""
        reason = self._pause.reason
        faults = []
        if reason is not Reason.FOLDER_MISSING:
            if not self._intake.is_watch_well:
                faults.append("the watch on the inbox is dead")
            silent_s = now - self._intake.last_scan_s
            if silent_s > self._scan_limit_s:
                faults.append(f"the inbox was not looked at for {silent_s:.0f} s")
        is_disk_excused = reason in {Reason.DISK_FULL, Reason.FOLDER_MISSING}
        if not is_disk_excused and self._proven_s is not None and now - self._proven_s > _PROVEN_S:
            faults.append(f"the ledger took no write for {now - self._proven_s:.0f} s")
        if reason is not Reason.DEVICE_LOST and not any(
            w.is_well for w in self._overview.workers()
        ):
            faults.append("no worker gives a sign of life")
        return tuple(faults)
