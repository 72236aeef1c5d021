"""JobLog: the log lines about jobs, each with job_id, image and attempt."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import Place
from zssr_daemon.imaging.formats import ImageInfo
from zssr_daemon.ledger.job import Job
from zssr_daemon.protocol.messages import WorkProgress, WorkReport
from zssr_daemon.system import file_names
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.zssr.config import ZSSRConfig


class JobLog:
    """Logs what happens to jobs; of a fit's thousands of steps it logs a few."""

    def __init__(self, progress_interval_s: float) -> None:
        self._interval_s = progress_interval_s
        self._log = logs.get_logger()
        self._last: dict[str, tuple[str, float]] = {}  # stage and time of the last line

    def queued(self, job: Job, info: ImageInfo) -> None:
        """Log that a file passed the gate."""
        keys: dict[str, Any] = {"note": info.note} if info.note else {}
        keys |= {"frames": info.frames} if info.frames > 1 else {}
        self._info(
            Events.JOB_QUEUED,
            job,
            width=info.width,
            height=info.height,
            format=info.format,
            bytes=job.identity.size,
            sha256=job.sha256,
            **keys,
        )

    def ignored(self, rel: str) -> None:
        """Log that a file of the inbox is no image; it has no job."""
        self._log.info(Events.FILE_IGNORED, image=file_names.printable(rel))

    def link_ignored(self, rel: str) -> None:
        """Log that a link of the inbox is not followed."""
        self._log.warning(Events.LINK_IGNORED, image=file_names.printable(rel))

    def delayed(self, rel: str, message: str, next_attempt_s: float) -> None:
        """Log that a file of the inbox cannot be read now; it has no job yet."""
        self._log.warning(
            Events.FILE_DELAYED,
            image=file_names.printable(rel),
            message=message,
            next_attempt_s=round(next_attempt_s, 1),
        )

    def started(
        self, job: Job, place: Place, config: ZSSRConfig, profiles: Sequence[str] = ()
    ) -> None:
        """Log that an attempt began, and which settings files of the inbox apply."""
        files = [file_names.printable(rel) for rel in profiles]
        keys: dict[str, Any] = {"profile": files} if files else {}
        keys |= _place_keys(place)
        keys |= {"preset": config.preset, "scale": config.total_scale}
        self._info(Events.JOB_STARTED, job, **keys)

    def progress(self, job: Job, progress: WorkProgress, eta_s: float | None) -> None:
        """Log how far a job is: at each new stage, and once per interval within a stage."""
        stage, logged_s = self._last.get(job.id, ("", 0.0))
        now_s = time.monotonic()
        if progress.stage == stage and now_s - logged_s < self._interval_s:
            return
        self._last[job.id] = (progress.stage, now_s)
        self._info(
            Events.JOB_PROGRESS,
            job,
            stage=progress.stage,
            step=progress.step,
            steps=progress.steps,
            fraction=round(progress.fraction, 4),
            eta_s=_number(eta_s, digits=1),
            loss=_number(progress.loss),
            lr=_number(progress.lr),
        )

    def reattempted(self, job: Job, reason: Reason, message: str, next_attempt_s: float) -> None:
        """Log that a job goes back to the queue."""
        self._last.pop(job.id, None)
        self._log.warning(
            Events.JOB_RETRY,
            **_job_keys(job),
            reason=reason,
            message=message,
            next_attempt_s=round(next_attempt_s, 1),
        )

    def done(self, job: Job, report: WorkReport, config: ZSSRConfig, place: Place) -> None:
        """Log everything about a finished job: the canonical line."""
        self._last.pop(job.id, None)
        keys = asdict(report)
        keys["seconds"] = {stage: round(value, 3) for stage, value in report.seconds.items()}
        keys["fallback"] = keys.pop("is_fallback")
        keys["warm_start_sha256"] = report.start_sha256 if report.start == "folder" else None
        for name in ("psnr_network_db", "psnr_bicubic_db"):
            keys[name] = _number(keys[name], digits=3)
        keys |= _place_keys(place)
        keys |= {"preset": config.preset, "scale": config.total_scale}
        if report.note is None:
            del keys["note"]
        self._info(Events.JOB_DONE, job, **_output_keys(job), **keys)

    def recovered(self, job: Job) -> None:
        """Log the end of a job that was finished after an interruption; its report is lost."""
        self._info(Events.JOB_DONE, job, **_output_keys(job), recovered=True)

    def failed(self, job: Job) -> None:
        """Log that a job ended without an output; that one was cancelled is no error."""
        self._last.pop(job.id, None)
        log = self._log.info if job.reason == Reason.CANCELLED else self._log.error
        log(
            Events.JOB_FAILED,
            **_job_keys(job),
            reason=job.reason,
            message=job.message,
            attempts=job.attempts,
        )

    def result_expired(self, job: Job) -> None:
        """Log that the result of a job was removed because its time was over."""
        self._info(Events.RESULT_EXPIRED, job, output=file_names.printable(job.out_rel or ""))

    def disposal_delayed(self, job: Job, message: str) -> None:
        """Log that an ended job's source cannot be moved out of the inbox now."""
        self._log.warning(Events.DISPOSAL_DELAYED, **_job_keys(job), message=message)

    def _info(self, event: Events, job: Job, **keys: Any) -> None:
        self._log.info(event, **_job_keys(job), **keys)


def _output_keys(job: Job) -> dict[str, Any]:
    return {
        "output": file_names.printable(job.out_rel or ""),
        "sha256": job.sha256,
        "out_sha256": job.out_sha256,
        "disposal": job.disposal,
    }


def node_keys(node: str) -> dict[str, str]:
    """Return the key of a log line that names a machine; none for this one, whose name is ""."""
    return {"node": node} if node else {}


def _place_keys(place: Place) -> dict[str, str]:
    return {"device": place.device} | node_keys(place.node)


def _number(value: float | None, *, digits: int | None = None) -> float | None:
    """Round for readers; return None for infinity and NaN, which JSON does not have."""
    if value is None or not math.isfinite(value):
        return None
    return value if digits is None else round(value, digits)


def _job_keys(job: Job) -> dict[str, Any]:
    return {"job_id": job.id, "image": file_names.printable(job.src_rel), "attempt": job.attempts}
