"""Upscale: the daemon's pipeline on files named on the command line, without folders or ledger."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon import durable, names
from zssr_daemon.enlarge import Enlarger
from zssr_daemon.errors import JobError
from zssr_daemon.identity import FileIdentity
from zssr_daemon.intake import image_limits
from zssr_daemon.messages import WorkOrder, WorkProgress
from zssr_daemon.placement import placements
from zssr_daemon.settings import Settings

Report = Callable[[Path, WorkProgress, float | None], None]


@dataclass(frozen=True, slots=True)
class Upscaled:
    """What became of one image; `error` is None when `target` was written."""

    image: Path
    target: Path
    seconds: float
    error: str | None = None


def upscale_all(
    images: Sequence[Path], output: Path | None, settings: Settings, report: Report
) -> Iterator[Upscaled]:
    """Enlarge one image after another; a bad one does not stop the rest.

    Args:
        images: the files.
        output: the file to write, or a folder for all of them; None writes beside each image.
        settings: `[zssr]`, `[output]`, `[limits]` and `[worker]` are used.
        report: is told how far an image is, with the seconds left where they can be told.
    """
    place = placements(settings.worker)[0]
    enlarger = Enlarger(place.device, place.threads)
    is_folder = output is not None and (len(images) > 1 or output.is_dir())
    for image in images:
        target = _target(image, output, settings, is_folder=is_folder)
        started_s = time.monotonic()
        error = None
        try:
            _upscale(enlarger, image, target, settings, report)
        except JobError as fault:
            error = f"{fault.reason}: {fault}"
        except FileExistsError:
            error = f"output_exists: {target} exists already; name another with -o"
        except OSError as fault:
            error = str(fault)
        yield Upscaled(image, target, time.monotonic() - started_s, error)


def _target(image: Path, output: Path | None, settings: Settings, *, is_folder: bool) -> Path:
    if output is not None and not is_folder:
        return output
    scale = settings.zssr.total_scale
    name = names.output_rel(image.name, settings.output.name, scale=scale, suffix=".png")
    return (output or image.parent) / name


def _upscale(
    enlarger: Enlarger, image: Path, target: Path, settings: Settings, report: Report
) -> None:
    if target.exists():  # known before the work is done; the link below makes sure
        raise FileExistsError(target)
    source = image.resolve(strict=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(names.part_rel("", uuid.uuid4().hex, 1))
    started_s = time.monotonic()
    try:
        enlarger.enlarge_order(
            _order(source, part, settings),
            lambda progress: report(image, progress, progress.eta_s(time.monotonic() - started_s)),
        )
        durable.fsync_file(part)
        durable.link_no_replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _order(image: Path, part: Path, settings: Settings) -> WorkOrder:
    return WorkOrder(
        job_id=str(image),
        inbox=str(image.parent),
        src_rel=image.name,
        identity=FileIdentity.from_stat(os.lstat(image)),
        part=str(part),
        config=settings.zssr,
        limits=image_limits(settings),
        keeps_metadata=settings.output.metadata == "keep",
        weights_folder=None,
    )
