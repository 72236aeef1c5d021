"""Companions: files that tell of an output, written beside its part and named after it."""

import os
import re
from pathlib import Path

from zssr_daemon.system.file_names import MAX_NAME_BYTES, cut_to_bytes

#: The suffix in place of the part's, and the ending after the output's whole name.
REPORT = ".report"
KERNEL_WEIGHTS = ".kernel_npy"
KERNEL_PICTURE = ".kernel_png"
_ENDINGS = {REPORT: ".report.html", KERNEL_WEIGHTS: ".kernel.npy", KERNEL_PICTURE: ".kernel.png"}

_PART = re.compile(r"\.[0-9a-f]{32}\.\d+\.(\d+\.)?(part|report|kernel_npy|kernel_png)")


def companion_part(part: Path, kind: str) -> Path:
    """Return where an attempt that writes its output to `part` writes a companion."""
    return part.with_suffix(kind)


def companions_of(part: Path) -> list[Path]:
    """Return the companions that were written beside `part`."""
    return [path for kind in _ENDINGS if (path := companion_part(part, kind)).is_file()]


def companion_rel(out_rel: str, companion: Path, tag: str = "") -> str:
    """Name a companion of an output, beside it; `tag` where that name is taken."""
    folder, name = os.path.split(out_rel)
    end = tag + _ENDINGS[companion.suffix]
    return os.path.join(folder, cut_to_bytes(name, MAX_NAME_BYTES - len(end)) + end)  # noqa: PTH118


def part_rel(out_rel: str, job_id: str, attempt: int) -> str:
    """Name the file an attempt writes to, beside its output."""
    return os.path.join(os.path.dirname(out_rel), f".{job_id}.{attempt}.part")  # noqa: PTH118, PTH120


def frame_part(part: str, frame: int) -> str:
    """Name the file of a frame that is not the last, beside `part`, one of `part_rel`."""
    return f"{part.removesuffix('.part')}.{frame}.part"


def is_part(name: str) -> bool:
    """Tell whether a file name is one of `part_rel`, `frame_part`, or of a companion of theirs."""
    return _PART.fullmatch(name) is not None
