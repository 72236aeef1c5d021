"""Upscale: the daemon's pipeline on files named on the command line, without folders or ledger."""

import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zssr_daemon.cli.image_inputs import ImageInput
from zssr_daemon.cli.output_place import OutputPlace, OutputPlaces
from zssr_daemon.cli.own_results import is_own_result
from zssr_daemon.daemon.kernel_check import configured_kernel
from zssr_daemon.daemon.work_order import Attempt, work_order
from zssr_daemon.errors import JobError
from zssr_daemon.executor.placement import placements
from zssr_daemon.protocol.attempt_files import companion_rel, companions_of, frame_part, part_rel
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkProgress
from zssr_daemon.settings.image_settings import ImageSettings, Resolved, Resolver
from zssr_daemon.settings.layers import Tables
from zssr_daemon.settings.schema import Limits, Settings
from zssr_daemon.system import durable
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.file_names import printable
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file

Report = Callable[[str, WorkProgress, float | None], None]

_PASSED = "passed over, for it is an output of this program; name it alone to enlarge it again"


@dataclass(frozen=True, slots=True)
class Upscaled:
    """What became of one image, which is called as its user calls it."""

    image: str
    told: str
    is_good: bool = True


def upscale_all(
    inputs: Sequence[ImageInput],
    output: Path | None,
    settings: Settings,
    over: Tables,
    report: Report,
) -> Iterator[Upscaled]:
    """Upscale one image after another; a bad one does not stop the rest.

    An image's own settings apply: those of NAME.toml and of zssr.toml in its folder.

    Args:
        inputs: the images; outputs of this program among several are passed over.
        output: the file to write, or a folder for all; None writes beside each image.
        settings: `[folders]` and what only concerns a daemon are ignored.
        over: those of them that count more than an image's own settings.
        report: is called with the progress of an image, and the seconds left or None.

    Raises:
        SettingsError: the kernel file of the settings cannot be used.
    """
    kernel = configured_kernel(settings)
    place = placements(settings.worker)[0]
    enlarger = Enlarger(place.device, place.threads)
    is_several = len(inputs) > 1 or any(each.is_of_folder for each in inputs)
    places = OutputPlaces(output, settings.limits, is_folder=is_several)
    over = {table: over[table] for table in ImageSettings.model_fields if table in over}
    for image in inputs:
        if image.fault is not None:
            yield Upscaled(image.told, image.fault, is_good=False)
            continue
        if is_several and is_own_result(image.path):
            yield Upscaled(image.told, _PASSED)
            continue
        resolver = Resolver(settings, image.root, kernel, over)
        yield _upscaled(image, resolver, places, _work(enlarger, settings.limits, report))


Work = Callable[[ImageInput, Resolved, OutputPlace], WorkDone]


def _upscaled(image: ImageInput, resolver: Resolver, places: OutputPlaces, work: Work) -> Upscaled:
    """Enlarge one image, and tell what became of it."""
    started_s = time.monotonic()
    try:
        own = resolver.resolve(image.rel)
        place = places.place_for(image, own)
        done = work(image, own, place)
    except JobError as fault:
        return Upscaled(image.told, f"{fault.reason}: {fault}", is_good=False)
    except FileExistsError as fault:
        taken = fault.filename2 or fault.filename
        told = f"output_exists: {taken} exists already; give another -o"
        return Upscaled(image.told, told, is_good=False)
    except OSError as fault:
        told = f"{fault.strerror}: {fault.filename2 or fault.filename or image.path}"
        return Upscaled(image.told, told, is_good=False)
    note = "" if done.report.note is None else f" ({done.report.note})"
    first = printable(str(place.finals(done.frames)[0]))
    return Upscaled(image.told, f"{first} in {time.monotonic() - started_s:.1f} s{note}")


def _work(enlarger: Enlarger, limits: Limits, report: Report) -> Work:
    """Return what enlarges an image into its place; it raises JobError and OSError."""

    def work(image: ImageInput, own: Resolved, place: OutputPlace) -> WorkDone:
        part = place.folder / part_rel("", uuid.uuid4().hex, 1)
        order = _order(image, own, place, part, limits)
        place.refuse_taken(has_report=order.report_path is not None)
        place.folder.mkdir(parents=True, exist_ok=True)
        started_s = time.monotonic()

        def tell(progress: WorkProgress) -> None:
            report(image.told, progress, progress.eta_s(time.monotonic() - started_s))

        try:
            done = enlarge_file(enlarger, order, tell)
            _publish(part, place.finals(done.frames))
        finally:
            for path in part.parent.glob(part.name.removesuffix("part") + "*"):
                path.unlink(missing_ok=True)
        return done

    return work


def _publish(part: Path, finals: Sequence[Path]) -> None:
    """Give the parts of all frames, of which the last is `part`, their names."""
    parts = [Path(frame_part(str(part), frame)) for frame in range(len(finals) - 1)]
    for written, final in zip([*parts, part], finals, strict=True):
        for companion in companions_of(written):
            durable.link_no_replace(companion, Path(companion_rel(str(final), companion.suffix)))
        durable.fsync_file(written)
        durable.link_no_replace(written, final)


def _order(
    image: ImageInput, own: Resolved, place: OutputPlace, part: Path, limits: Limits
) -> WorkOrder:
    attempt = Attempt(
        job_id=image.told,
        inbox=image.root,
        src_rel=image.rel,
        identity=FileIdentity.from_stat(os.lstat(image.path)),
        part=part,
    )
    return replace(work_order(attempt, own, limits), output=place.rules)
