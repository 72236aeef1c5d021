"""StatusReporter: what the daemon is doing, and whether all of its parts are alive."""

import os
import time
from dataclasses import dataclass, replace

from zssr_daemon import __version__
from zssr_daemon.daemon.job_lifecycle import JobLifecycle, RunningJob
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import Executor
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry.status import DaemonPhase, JobStatus, PauseStatus, Status

#: How often a write to the ledger is tried, and after how long without success it is a fault.
_PROVE_S = 30.0
_PROVEN_S = 60.0

#: After so many scan intervals without a scan it is a fault, but never before so many seconds.
_SCAN_INTERVALS = 3
_SCAN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a daemon whose status is reported."""

    ledger: Ledger
    executor: Executor
    intake: Intake
    lifecycle: JobLifecycle
    pause: Pause
    signals: Signals


class StatusReporter:
    """Reports on the parts of one daemon. Times are seconds of the caller's monotonic clock."""

    def __init__(self, parts: Parts, *, scan_interval_s: float) -> None:
        self._parts = parts
        self._scan_limit_s = max(_SCAN_INTERVALS * scan_interval_s, _SCAN_S)
        self._started_at = time.time()
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
            self._parts.ledger.prove()
            self._proven_s = now

    @property
    def has_started(self) -> bool:
        """Whether the start is over: a scan is done and a worker is ready, or the queue pauses."""
        if self._parts.pause:
            return True
        workers = self._parts.executor.workers()
        return self._parts.intake.scans > 0 and any(worker.is_ready for worker in workers)

    def status(self, now: float) -> Status:
        """Return the daemon's status."""
        ledger, intake = self._parts.ledger, self._parts.intake
        return Status(
            version=__version__,
            phase=self._phase(),
            pid=os.getpid(),
            started_at=self._started_at,
            faults=self.faults(now),
            pause=_pause_status(self._parts.pause),
            workers=tuple(self._parts.executor.workers()),
            jobs=tuple(_job_status(running) for running in self._parts.lifecycle.running()),
            settling=intake.settling,
            passed_over=intake.passed_over,
            queued=ledger.count(JobState.QUEUED),
            failed=ledger.count(JobState.FAILED),
            oldest_queued_at=ledger.oldest_queued_at(),
            last_scan_at=intake.last_scan_at,
            watch=intake.watch.way,
            links=intake.links,
            watch_fault=intake.watch.fault,
        )

    def publishing(self) -> int:
        """Return how many jobs are in the state `publishing`."""
        return self._parts.ledger.count(JobState.PUBLISHING)

    def faults(self, now: float) -> tuple[str, ...]:
        """Return a sentence for each part that is not alive; a pause excuses what it explains."""
        reason = self._parts.pause.reason
        faults = []
        if reason is not Reason.FOLDER_MISSING:
            faults += self._watch_faults(now)
        if reason not in {Reason.DISK_FULL, Reason.FOLDER_MISSING}:
            faults += self._ledger_faults(now)
        if reason not in {Reason.DEVICE_LOST, Reason.CHILDREN_UNAVAILABLE}:
            faults += self._worker_faults()
        return tuple(faults)

    def _watch_faults(self, now: float) -> list[str]:
        intake, faults = self._parts.intake, []
        if not intake.watch.is_well:
            faults.append("the watch on the inbox is dead")
        silent_s = now - intake.last_scan_s
        if silent_s > self._scan_limit_s:
            faults.append(f"the inbox was not looked at for {silent_s:.0f} s")
        return faults

    def _ledger_faults(self, now: float) -> list[str]:
        if self._proven_s is None or now - self._proven_s <= _PROVEN_S:
            return []
        return [f"the ledger took no write for {now - self._proven_s:.0f} s"]

    def _worker_faults(self) -> list[str]:
        workers = self._parts.executor.workers()  # none while a cluster alone has yet to offer one
        is_some_well = not workers or any(worker.is_well for worker in workers)
        return [] if is_some_well else ["no worker gives a sign of life"]

    def _phase(self) -> DaemonPhase:
        if self._parts.signals.is_draining:
            return "draining"
        if self._parts.pause:
            return "paused"
        return "running" if self.has_started else "starting"


def _job_status(running: RunningJob) -> JobStatus:
    job, progress = running.job, running.progress
    status = JobStatus(
        job_id=job.id,
        image=printable(job.src_rel),
        attempt=job.attempts,
        started_at=job.started_at or 0.0,
        device=running.place.device,
        node=running.place.node,
    )
    if progress is None:
        return status
    return replace(
        status,
        stage=progress.stage,
        step=progress.step,
        steps=progress.steps,
        fraction=progress.fraction,
        loss=progress.loss,
        eta_s=running.eta_s,
    )


def _pause_status(pause: Pause) -> PauseStatus | None:
    if pause.obstacle is None:
        return None
    obstacle = pause.obstacle
    return PauseStatus(reason=obstacle.reason, message=obstacle.message, since=pause.since)
