"""WorkOrder: builds what a worker needs to know about one attempt from the settings."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon.ledger.job import Job
from zssr_daemon.protocol.attempt_files import companion_part
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.settings.image_settings import ImageSettings, Resolved
from zssr_daemon.settings.rules import image_limits, output_rules
from zssr_daemon.settings.schema import Folders, Limits
from zssr_daemon.system.file_identity import FileIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Which file an attempt reads, and where it writes the output."""

    job_id: str
    inbox: Path
    src_rel: str  # below the inbox, in `os.fsdecode` form
    identity: FileIdentity
    part: Path
    number: int = 1
    weights_folder: str | None = None  # of earlier images' weights; None: none are kept


def work_order(attempt: Attempt, own: Resolved, limits: Limits) -> WorkOrder:
    """Return the order for an attempt; `own` are the settings of its image."""
    degradation, output = own.settings.degradation, own.settings.output
    return WorkOrder(
        job_id=attempt.job_id,
        inbox=str(attempt.inbox),
        src_rel=attempt.src_rel,
        identity=attempt.identity,
        part=str(attempt.part),
        config=own.settings.zssr,
        limits=image_limits(limits, output),
        output=output_rules(limits, output),
        weights_folder=attempt.weights_folder,
        kernel=own.kernel,
        kernel_phase=degradation.kernel_phase,
        noise_std=degradation.noise_std,
        keeps_grain=degradation.grain == "keep",
        jpeg_quality=degradation.jpeg_quality,
        attempt=attempt.number,
        mtime_ns=attempt.identity.mtime_ns if output.times == "keep" else None,
        report_path=str(companion_part(attempt.part, REPORT)) if output.report else None,
    )


def attempt_of(job: Job, own: ImageSettings, folders: Folders, part: Path) -> Attempt:
    """Describe the current attempt of a job; its output is written to `part`."""
    return Attempt(
        job_id=job.id,
        inbox=folders.inbox,
        src_rel=job.src_rel,
        identity=job.identity,
        part=part,
        number=job.attempts,
        weights_folder=_weights_folder(job, folders) if own.zssr.start == "folder" else None,
    )


def _weights_folder(job: Job, folders: Folders) -> str:
    """Return where the weights of earlier jobs with the same sub-folder and settings are kept."""
    group = os.fsencode(os.path.dirname(job.src_rel)) + (job.settings_hash or "").encode()  # noqa: PTH120
    name = hashlib.sha256(group).hexdigest()[:16]
    return str(folders.state / "weights" / name)
