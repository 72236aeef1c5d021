"""Overview: reads a daemon's status off its parts."""

import os
import time
from dataclasses import replace

from zssr_daemon import __version__
from zssr_daemon.daemon.job_lifecycle import Desk
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.executor.local import Executor
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry.status import JobStatus, PauseStatus, Phase, Status, WorkerStatus


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

    def _phase(self, *, is_ready: bool) -> Phase:
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
