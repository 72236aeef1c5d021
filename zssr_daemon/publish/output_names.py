"""Names of outputs, made from the name of the source."""

import os
import re

from zssr_daemon.ledger.job import Job
from zssr_daemon.system.file_names import MAX_NAME_BYTES, cut_to_bytes, split_suffix
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.scale import Scale, label
from zssr_daemon.zssr.target import Target

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # characters that control a terminal


def output_rel(src_rel: str, pattern: str, *, scale: Scale, suffix: str, tag: str = "") -> str:
    """Return the path of the output of `src_rel`, in the same sub-folder, below the output folder.

    Args:
        src_rel: path below the inbox, in `os.fsdecode` form.
        pattern: `[output] name`, with {stem} and {scale}.
        scale: the total factor; written without trailing zeros (2, 2.25, 2x3).
        suffix: the ending, with its dot.
        tag: put before the suffix when the plain name is taken.
    """
    folder, name = os.path.split(src_rel)
    stem = _CONTROL.sub("_", split_suffix(name)[0])
    # Everything but the stem has a fixed length, so only the stem can be cut.
    fixed = os.fsencode(pattern.format(stem="", scale=label(scale)) + tag + suffix)
    stem = cut_to_bytes(stem, MAX_NAME_BYTES - len(fixed))
    return os.path.join(folder, pattern.format(stem=stem, scale=label(scale)) + tag + suffix)  # noqa: PTH118


def told_scale(config: ZSSRConfig, width: int | None, height: int | None) -> Scale:
    """Return the factor that the name of an output tells; of a target, rounded to two decimals.

    width, height: of the source in pixels, of its first frame where it has several.
    """
    if not config.target or width is None or height is None:
        return config.total_scale
    return round(Target.parse(config.target).factor(width, height), 2)


def name_tags(job: Job) -> tuple[str, str, str]:
    """Return what to add to a name until it is free: nothing, part of the job's id, all of it."""
    return "", f"-{job.id[:8]}", f"-{job.id}"
