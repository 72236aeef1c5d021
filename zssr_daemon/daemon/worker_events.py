"""WorkerEvents: what follows for a job from what its worker says, and from a worker's end."""

from collections.abc import Callable

from zssr_daemon.daemon.job_lifecycle import JobLifecycle
from zssr_daemon.daemon.job_log import node_keys
from zssr_daemon.errors import Reason, SourceChangedError
from zssr_daemon.executor.interface import ExecutorEvent, WorkerEnd, WorkerEnded
from zssr_daemon.ledger.job import Job
from zssr_daemon.protocol.messages import (
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkProgress,
)
from zssr_daemon.publish.cancel import CANCELLED
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.telemetry.metrics import Metrics


class WorkerEvents:
    """Handles one event after another; the lifecycle of jobs decides what is to blame."""

    def __init__(
        self,
        jobs: JobLifecycle,
        publisher: Publisher,
        metrics: Metrics,
        scan_soon: Callable[[], None],
    ) -> None:
        """`scan_soon` is called when a source was changed while its job was in work."""
        self._jobs = jobs
        self._publisher = publisher
        self._metrics = metrics
        self._scan_soon = scan_soon
        self._log = logs.get_logger()

    def handle(self, event: ExecutorEvent) -> None:
        """Log and count an event, and move the job that it is about on.

        Raises:
            OSError: a disk fails, and no job is to blame.
        """
        match event:
            case WorkerReady():
                keys = {"device": event.device, "torch_version": event.torch_version}
                self._log.info(Events.WORKER_READY, **keys, **node_keys(event.node))
                self._metrics.worker_ready(event.torch_version)
            case WorkProgress():
                self._jobs.progress(event)
            case WorkDone() | WorkFailed() | WorkCancelled() if self._is_cancelled(event.job_id):
                self._jobs.fail(self._jobs.get(event.job_id), Reason.CANCELLED, CANCELLED)
            case WorkDone():
                job = self._jobs.get(event.job_id)
                with self._jobs.judging_faults(job):
                    self._publish(job, event)
            case WorkFailed():
                self._work_failed(self._jobs.get(event.job_id), event)
            case WorkCancelled():
                self._jobs.put_back(self._jobs.get(event.job_id), Reason.WORKER_GONE)
            case WorkerEnded():
                self._worker_ended(event)
            case WorkerBroken():
                pass  # its end follows, with the reason

    def _is_cancelled(self, job_id: str) -> bool:
        return self._jobs.is_cancelled(self._jobs.get(job_id))

    def _publish(self, job: Job, done: WorkDone) -> None:
        try:
            job = self._publisher.publish(
                job, out_sha256=done.out_sha256, suffix=done.suffix, frames=done.frames
            )
        except SourceChangedError as error:
            self._source_changed(job, error)
            return
        self._jobs.done(job, done.report)

    def _work_failed(self, job: Job, failed: WorkFailed) -> None:
        if failed.reason is Reason.SOURCE_CHANGED:
            with self._jobs.judging_faults(job):
                self._source_changed(job, SourceChangedError(failed.message))
        elif failed.oserror_errno is not None:
            with self._jobs.judging_faults(job):
                raise OSError(failed.oserror_errno, failed.message)
        elif failed.is_retryable:
            self._jobs.attempt_failed(job, failed.reason, failed.message)
        else:
            self._jobs.fail(job, failed.reason, failed.message)

    def _source_changed(self, job: Job, error: SourceChangedError) -> None:
        self._jobs.source_changed(job, error)
        self._scan_soon()

    def _worker_ended(self, ended: WorkerEnded) -> None:
        log = self._log.info if ended.reason is WorkerEnd.RECYCLE else self._log.warning
        keys = {"reason": ended.reason, "message": ended.message, **node_keys(ended.node)}
        log(Events.WORKER_RESTARTED, **keys)
        self._metrics.worker_restarted(ended.reason)
        job = self._jobs.find(ended.job_id or "")
        if job is not None:
            self._jobs.attempt_failed(job, ended.reason.blame, ended.message)
