"""Orders: what a worker needs to know of one attempt, put together from job and settings."""

import hashlib
import json
import os
from dataclasses import asdict
from typing import Any

from zssr_daemon.companions import REPORT, companion_part
from zssr_daemon.intake import image_limits, output_rules
from zssr_daemon.jobs import Job
from zssr_daemon.messages import KernelFile, WorkOrder
from zssr_daemon.publish import Publisher
from zssr_daemon.settings import Settings


def order_for(
    job: Job, settings: Settings, publisher: Publisher, kernel: KernelFile | None
) -> WorkOrder:
    """Write the order for a job's attempt; the folder of its part is made."""
    part = publisher.part_path(job)
    return WorkOrder(
        job_id=job.id,
        inbox=str(settings.folders.inbox),
        src_rel=job.src_rel,
        identity=job.identity,
        part=str(part),
        config=settings.zssr,
        limits=image_limits(settings),
        output=output_rules(settings),
        weights_folder=_weights_folder(job, settings),
        kernel=kernel,
        estimates_kernel=settings.degradation.kernel == "estimate",
        kernel_phase=settings.degradation.kernel_phase,
        noise_std=settings.degradation.noise_std,
        jpeg_quality=settings.degradation.jpeg_quality,
        attempt=job.attempts,
        report_path=str(companion_part(part, REPORT)) if settings.output.report else None,
    )


def hash_of(settings: Settings) -> str:
    """Name the settings that shape the output, in 16 hex digits."""
    shaping: dict[str, Any] = {
        "zssr": asdict(settings.zssr),
        "output": settings.output.model_dump(),
        "degradation": settings.degradation.model_dump(mode="json"),
    }
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()[:16]


def _weights_folder(job: Job, settings: Settings) -> str | None:
    """Name the place of what earlier jobs of the same sub-folder and settings learnt."""
    if settings.worker.warm_start == "off":
        return None
    group = os.fsencode(os.path.dirname(job.src_rel)) + (job.settings_hash or "").encode()  # noqa: PTH120
    name = hashlib.sha256(group).hexdigest()[:16]
    return str(settings.folders.state / "weights" / name)
