"""Upscale: the daemon's pipeline on files named on the command line, without folders or ledger."""

import errno
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zssr_daemon.daemon.kernel_check import configured_kernel
from zssr_daemon.daemon.work_order import Attempt, work_order
from zssr_daemon.errors import JobError
from zssr_daemon.executor.placement import placements
from zssr_daemon.imaging.formats import HEAD_BYTES, sniff_format
from zssr_daemon.imaging.output_format import SETTING_BY_SUFFIX, OutputRules
from zssr_daemon.protocol.attempt_files import companion_rel, companions_of, frame_part, part_rel
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.protocol.messages import WorkOrder, WorkProgress
from zssr_daemon.publish.output_names import output_rel
from zssr_daemon.settings.image_settings import ImageSettings, Resolved, Resolver
from zssr_daemon.settings.rules import output_rules
from zssr_daemon.settings.schema import Limits, Settings
from zssr_daemon.system import durable
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.zssr.config import ZSSRConfig

#: Applies the options of the command line to the parameters of an image.
Adjust = Callable[[ZSSRConfig], ZSSRConfig]
Report = Callable[[Path, WorkProgress, float | None], None]


@dataclass(frozen=True, slots=True)
class Upscaled:
    """The result for one image; `error` is None when `target` was written."""

    image: Path
    target: Path
    seconds: float
    error: str | None = None


def upscale_all(
    images: Sequence[Path], output: Path | None, settings: Settings, adjust: Adjust, report: Report
) -> Iterator[Upscaled]:
    """Upscale one image after another; a bad one does not stop the rest.

    An image's own settings apply: those of NAME.toml and of zssr.toml in the image's folder.

    Args:
        images: the files.
        output: the file to write, or a folder for all of them; None writes beside each image.
        settings: `[folders]` and what only concerns a daemon are ignored.
        adjust: takes the parameters of an image, and returns those to use.
        report: is called with the progress of an image, and the seconds left or None.

    Raises:
        SettingsError: the kernel file of the settings cannot be used.
    """
    place = placements(settings.worker)[0]
    enlarger = Enlarger(place.device, place.threads)
    kernel = configured_kernel(settings)
    is_folder = output is not None and (len(images) > 1 or output.is_dir())
    for image in images:
        started_s = time.monotonic()
        target, error = image, None
        try:
            own = _adjusted(_resolved(image, settings, kernel), adjust)
            request = _Request(image, output, is_folder, settings.limits, own)
            target = request.target(request.rules.format_for(_format_of(image)).suffix)
            target = _upscale(enlarger, request, target, report)
        except JobError as fault:
            error = f"{fault.reason}: {fault}"
        except FileExistsError as fault:
            error = f"output_exists: {fault.filename2 or target} exists already; give another -o"
        except OSError as fault:
            error = str(fault)
        yield Upscaled(image, target, time.monotonic() - started_s, error)


@dataclass(frozen=True, slots=True)
class _Request:
    """One image, and where its output goes; with `output` None it goes beside the image."""

    image: Path
    output: Path | None
    is_folder: bool
    limits: Limits
    own: Resolved

    @property
    def settings(self) -> ImageSettings:
        """The settings of the image."""
        return self.own.settings

    @property
    def rules(self) -> OutputRules:
        """The rules for the output; the ending of a named output file decides the format."""
        rules = output_rules(self.limits, self.settings.output)
        if self.output is None or self.is_folder:
            return rules
        return replace(
            rules, setting=SETTING_BY_SUFFIX.get(self.output.suffix.lower(), rules.setting)
        )

    def target(self, suffix: str, page: int | None = None) -> Path:
        """Return the path of the output, or of one page's output; pages count from 1."""
        tag = "" if page is None else f"_p{page:03d}"
        if self.output is not None and not self.is_folder:
            return self.output.with_stem(self.output.stem + tag)
        pattern = self.settings.output.name.replace("{stem}", "{stem}" + tag)
        scale = self.settings.zssr.total_scale
        name = output_rel(self.image.name, pattern, scale=scale, suffix=suffix)
        return (self.output or self.image.parent) / name


def _resolved(image: Path, settings: Settings, kernel: KernelFile | None) -> Resolved:
    source = image.resolve()
    return Resolver(settings, source.parent, kernel).resolve(source.name)


def _adjusted(own: Resolved, adjust: Adjust) -> Resolved:
    config = adjust(own.settings.zssr)
    return replace(own, settings=own.settings.model_copy(update={"zssr": config}))


def _upscale(enlarger: Enlarger, request: _Request, target: Path, report: Report) -> Path:
    """Write `target`, or its pages; return the first name written."""
    source = request.image.resolve(strict=True)
    part = target.with_name(part_rel("", uuid.uuid4().hex, 1))
    order = _order(source, part, request)
    _refuse_taken(target, order)
    target.parent.mkdir(parents=True, exist_ok=True)
    started_s = time.monotonic()
    try:
        done = enlarge_file(
            enlarger,
            order,
            lambda progress: report(
                request.image, progress, progress.eta_s(time.monotonic() - started_s)
            ),
        )
        parts = [Path(frame_part(str(part), frame)) for frame in range(done.frames - 1)]
        parts.append(part)
        pages = range(1, done.frames + 1)
        finals = (
            [request.target(done.suffix, page) for page in pages] if done.frames > 1 else [target]
        )
        for written, final in zip(parts, finals, strict=True):
            for companion in companions_of(written):
                durable.link_no_replace(companion, Path(companion_rel(str(final), companion)))
            durable.fsync_file(written)
            durable.link_no_replace(written, final)
        return finals[0]
    finally:
        for path in part.parent.glob(part.name.removesuffix("part") + "*"):
            path.unlink(missing_ok=True)


def _refuse_taken(target: Path, order: WorkOrder) -> None:
    """Refuse names that are taken before any work is done; linking refuses those taken later."""
    wanted = [str(target)]
    if order.report_path is not None:
        wanted.append(companion_rel(str(target), Path(order.report_path)))
    for path in wanted:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "File exists", order.part, None, path)


def _order(source: Path, part: Path, request: _Request) -> WorkOrder:
    attempt = Attempt(
        job_id=str(request.image),
        inbox=source.parent,
        src_rel=source.name,
        identity=FileIdentity.from_stat(os.lstat(source)),
        part=part,
    )
    order = work_order(attempt, request.own, request.limits)
    return replace(order, output=request.rules)


def _format_of(image: Path) -> str | None:
    """Return the format by content; None where it is unknown, and the decoder says why."""
    try:
        if not image.is_file():  # a fifo would be waited for
            return None
        with image.open("rb") as file:
            return sniff_format(file.read(HEAD_BYTES))
    except OSError:
        return None
