"""Attempt files: what an attempt writes into the output folder before its output has its name.

That is a part for each output, and beside it companions: a report, the estimated kernel.
"""

import os
import re
from pathlib import Path

from zssr_daemon.protocol.endings import COMPANIONS, PART
from zssr_daemon.system.file_names import MAX_NAME_BYTES, cut_to_bytes

_KINDS = "|".join(ending.removeprefix(".") for ending in (PART, *COMPANIONS))
_PART_NAME = re.compile(rf"\.[0-9a-f]{{32}}\.\d+\.(\d+\.)?({_KINDS})")


def part_rel(out_rel: str, job_id: str, attempt: int) -> str:
    """Return the path of an attempt's part, in the folder of its output."""
    return os.path.join(os.path.dirname(out_rel), f".{job_id}.{attempt}{PART}")  # noqa: PTH118, PTH120


def frame_part(part: str, frame: int) -> str:
    """Return the path of the part of a frame that is not the last; the last frame's is `part`."""
    return f"{part.removesuffix(PART)}.{frame}{PART}"


def frame_parts(part: Path) -> list[Path]:
    """Find the parts of all frames but the last beside `part`, the last frame's, in order."""
    found = part.parent.glob(f"{part.name.removesuffix(PART)}.*{PART}")
    return sorted(found, key=frame_of)


def frame_of(part: Path) -> int:
    """Return the frame that a part of `frame_parts` holds, counted from 0."""
    return int(part.name.split(".")[-2])


def is_part(name: str) -> bool:
    """Tell whether a file name is that of a part, or of a companion that has no final name yet."""
    return _PART_NAME.fullmatch(name) is not None


def job_of(part_name: str) -> str:
    """Return the id of the job whose attempt wrote a part."""
    return part_name.split(".")[1]


def companion_part(part: Path, kind: str) -> Path:
    """Return where an attempt that writes its output to `part` writes a companion."""
    return part.with_suffix(kind)


def companions_of(part: Path) -> list[Path]:
    """Return the companions that lie beside `part`."""
    return [path for kind in COMPANIONS if (path := companion_part(part, kind)).is_file()]


def companion_rel(out_rel: str, kind: str, tag: str = "") -> str:
    """Return the final path of a companion, beside its output; `tag` where that name is taken."""
    folder, name = os.path.split(out_rel)
    end = tag + COMPANIONS[kind]
    return os.path.join(folder, cut_to_bytes(name, MAX_NAME_BYTES - len(end)) + end)  # noqa: PTH118
