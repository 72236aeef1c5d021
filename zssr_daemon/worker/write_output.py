"""Levels: float values in [0, 1] become the whole numbers that a file holds."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zssr_daemon import __version__, failpoints
from zssr_daemon.errors import JobError, Reason
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.imaging import decode, encode
from zssr_daemon.imaging.output_format import OutputFormat
from zssr_daemon.imaging.verify import verify
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.worker.source_degradation import Origin
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.pipeline import SuperResolved


def new_samples(
    height: int, width: int, channels: int, *, bit_depth: int
) -> NDArray[np.unsignedinteger]:
    """Return an uninitialised picture: (height, width, channels) uint8 or uint16."""
    return np.empty((height, width, channels), np.uint8 if bit_depth == 8 else np.uint16)


def put_levels(values: NDArray[np.floating], samples: NDArray[np.unsignedinteger]) -> None:
    """Round `values` to the levels of `samples`, an array or view of the same shape.

    Values outside [0, 1] are clipped. Raises JobError (`not_finite`) for NaN and infinity.
    """
    if not np.isfinite(values).all():
        raise JobError("the result holds NaN or infinity", reason=Reason.NOT_FINITE)
    np.rint(np.clip(values, 0, 1) * np.iinfo(samples.dtype).max, out=samples, casting="unsafe")


@dataclass(frozen=True, slots=True)
class _Written:
    """A verified part."""

    sha256: str
    note: str | None


def _write(
    order: WorkOrder,
    source: decode.DecodedImage,
    samples: NDArray[np.unsignedinteger],
    comments: dict[str, str],
    alive: Callable[[], None],
) -> _Written:
    """Write the part and read it back."""
    output = order.output.format_for(source.info.format)
    part = os.open(order.part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        failpoints.reach(Failpoint.PART_BEGUN)
        notes = order.output.notes(source.info) + encode.encode(
            samples,
            part,
            output=output,
            quality=order.output.quality,
            metadata=source.metadata,
            keep_metadata=order.output.keeps_metadata,
            comments=comments,
            on_write=alive,
        )
        alive()
        verify(part, samples, output=output, icc=_kept_profile(source, output))
    finally:
        os.close(part)
    alive()
    with Path(order.part).open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    failpoints.reach(Failpoint.PART_WRITTEN)
    return _Written(sha256, "; ".join(notes) or None)


def _kept_profile(source: decode.DecodedImage, output: OutputFormat) -> bytes | None:
    """Return the profile that must be found in the output; a grey one cannot be in all."""
    is_changed = source.info.channels == 1 and not output.has_grey
    return None if is_changed else source.metadata.icc


def _new_samples(order: WorkOrder, source: decode.DecodedImage) -> NDArray[np.unsignedinteger]:
    """Return room for the output: (H', W', C) whole levels, alpha last."""
    info = source.info
    width, height = order.config.output_size(info.width, info.height)
    channels = info.channels + info.has_alpha
    return new_samples(height, width, channels, bit_depth=order.output.bit_depth(info))


def _put_colour(
    samples: NDArray[np.unsignedinteger], part: torch.Tensor, top: int, left: int
) -> None:
    """Round (C, h, w) to levels of `samples`."""
    channels, height, width = part.shape
    place = samples[top : top + height, left : left + width, :channels]
    put_levels(part.permute(1, 2, 0).numpy(), place)


def _put_alpha(
    samples: NDArray[np.unsignedinteger], part: torch.Tensor, top: int, left: int
) -> None:
    """Round (1, 1, h, w) to levels of the last channel."""
    height, width = part.shape[-2:]
    put_levels(part[0, 0].numpy(), samples[top : top + height, left : left + width, -1])


def _comments(
    config: ZSSRConfig, result: SuperResolved, origin: Origin, warm_start: str | None
) -> dict[str, str]:
    """Say how the picture was made; no times, so that equal work gives equal bytes."""
    parameters = dataclasses.asdict(config) | {
        "patch_size": result.patch_size,
        "batch_size": result.batch_size,
        "warm_start_sha256": warm_start,
        **origin.parameters,
    }
    return {
        "Software": f"zssr_daemon {__version__}",
        "zssr": json.dumps(parameters, sort_keys=True),
    }
