"""Output: a result rounded to levels, written to a part, and verified."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zssr_daemon import __version__, failpoints
from zssr_daemon.errors import JobError, Reason
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.imaging.encode import encode
from zssr_daemon.imaging.formats import SampleKind
from zssr_daemon.imaging.metadata.resolution import at_resolution
from zssr_daemon.imaging.output_format import OutputFormat
from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.imaging.verify import verify
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.worker.source_degradation import SourceDegradation
from zssr_daemon.worker.start_store import start_told
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.pipeline import SuperResolved
from zssr_daemon.zssr.scale import per_axis


def output_samples(order: WorkOrder, source: DecodedImage) -> NDArray[Any]:
    """Return uninitialised samples for the output of a source: (H', W', C), as in the source."""
    info = source.info
    width, height = order.config.output_size(info.width, info.height)
    depth = order.output.bit_depth(info)
    return new_samples(height, width, info.bands, bit_depth=depth, kind=info.kind)


def new_samples(
    height: int, width: int, channels: int, *, bit_depth: int, kind: SampleKind = "unsigned"
) -> NDArray[Any]:
    """Return uninitialised samples: (height, width, channels) of that many bits and kind."""
    code = {"unsigned": "u", "signed": "i", "float": "f"}[kind]
    return np.empty((height, width, channels), np.dtype(f"{code}{bit_depth // 8}"))


def put_levels(
    values: NDArray[np.floating], samples: NDArray[Any], sample_range: SampleRange
) -> None:
    """Round `values` to `samples`, an array or view of the same shape.

    Values outside [0, 1] are clipped. Raises JobError (`not_finite`) for NaN and infinity.
    """
    if not np.isfinite(values).all():
        raise JobError("the result holds NaN or infinity", reason=Reason.NOT_FINITE)
    sample_range.to_samples(values, samples)


def parameters_text(
    config: ZSSRConfig,
    result: SuperResolved,
    degradation: SourceDegradation,
) -> dict[str, str]:
    """Return the comments of an output (keyword → text), which say how it was made.

    No times are among them, so that equal work gives equal bytes.
    """
    start = start_told(result)
    parameters = dataclasses.asdict(config) | {
        "patch_size": result.patch_size,
        "batch_size": result.batch_size,
        **start,
        "warm_start_sha256": start["start_sha256"] if start["start"] == "folder" else None,
        **degradation.parameters,
    }
    return {
        "Software": f"zssr_daemon {__version__}",
        "zssr": json.dumps(parameters, sort_keys=True),
    }


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part that was written and verified."""

    sha256: str  # of the file, hex
    note: str | None  # what it could not keep


def write_part(
    order: WorkOrder,
    source: DecodedImage,
    samples: NDArray[Any],
    comments: dict[str, str],
    on_alive: Callable[[], None],
) -> WrittenPart:
    """Write `samples` to `order.part`, and read it back.

    `on_alive` is called now and then; what it raises ends the call and passes on.

    Raises:
        JobError: what was read back is not what was written.
        OSError: the disk is at fault.
    """
    output = order.output.format_for(source.info.format)
    metadata = source.metadata if order.output.keeps_metadata else source.metadata.only_colour()
    metadata = dataclasses.replace(metadata, scale=per_axis(order.config.total_scale))
    if order.config.print_dpi is not None:
        metadata = at_resolution(metadata, order.config.print_dpi)
    part = os.open(order.part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        failpoints.reach(Failpoint.PART_BEGUN)
        notes = [source.info.note] if source.info.note else []
        notes += order.output.notes(source.info) + encode(
            samples,
            part,
            output=output,
            quality=order.output.quality,
            metadata=metadata,
            comments=comments,
            on_write=on_alive,
        )
        on_alive()
        verify(part, samples, output=output, icc=_kept_profile(source, output))
        notes += _set_time(part, order.mtime_ns)
    finally:
        os.close(part)
    on_alive()
    with Path(order.part).open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    failpoints.reach(Failpoint.PART_WRITTEN)
    return WrittenPart(sha256, "; ".join(notes) or None)


def _set_time(part: int, mtime_ns: int | None) -> list[str]:
    """Give an open part the time that was ordered; return a note where that is refused."""
    try:
        if mtime_ns is not None:
            os.utime(part, ns=(mtime_ns, mtime_ns))
    except OSError as error:  # some shares refuse it, and no output is lost for that
        return [f"modification time not kept ({error.strerror})"]
    return []


def _kept_profile(source: DecodedImage, output: OutputFormat) -> bytes | None:
    """Return the profile that the output must hold.

    None for grey in a format that knows no grey: there the profile becomes another one.
    """
    is_changed = source.info.channels == 1 and not output.has_grey
    return None if is_changed else source.metadata.icc
