"""Orders: what a worker needs to know of one attempt, put together from job and settings."""

import hashlib
import os

from zssr_daemon.ledger.job import Job
from zssr_daemon.protocol.attempt_files import REPORT, companion_part
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.settings.image_settings import Resolved
from zssr_daemon.settings.rules import image_limits, output_rules
from zssr_daemon.settings.schema import Settings


def order_for(
    job: Job, settings: Settings, own: Resolved, publisher: Publisher, kernel: KernelFile | None
) -> WorkOrder:
    """Write the order for a job's attempt; the folder of its part is made.

    Args:
        job: its ledger row.
        settings: of the daemon, for what no image has of its own.
        own: what holds for the image.
        publisher: which knows where the part belongs.
        kernel: the file that the daemon's own settings name.
    """
    degradation, output = own.settings.degradation.asked, own.settings.output
    part = publisher.part_path(job)
    return WorkOrder(
        job_id=job.id,
        inbox=str(settings.folders.inbox),
        src_rel=job.src_rel,
        identity=job.identity,
        part=str(part),
        config=own.settings.zssr,
        limits=image_limits(settings.limits, output),
        output=output_rules(settings.limits, output),
        weights_folder=_weights_folder(job, settings),
        kernel=own.kernel_or(kernel),
        kernel_phase=degradation.kernel_phase,
        noise_std=degradation.noise_std,
        jpeg_quality=degradation.jpeg_quality,
        attempt=job.attempts,
        report_path=str(companion_part(part, REPORT)) if output.report else None,
    )


def _weights_folder(job: Job, settings: Settings) -> str | None:
    """Name the place of what earlier jobs of the same sub-folder and settings learnt."""
    if settings.worker.warm_start == "off":
        return None
    group = os.fsencode(os.path.dirname(job.src_rel)) + (job.settings_hash or "").encode()  # noqa: PTH120
    name = hashlib.sha256(group).hexdigest()[:16]
    return str(settings.folders.state / "weights" / name)
