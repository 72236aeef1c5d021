"""Names of output files: from the source's name, legal everywhere, never longer than 255 bytes."""

import os
import re

from zssr_daemon.zssr.scale import Scale, label

MAX_NAME_BYTES = 255
_MAX_SUFFIX_BYTES = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PART = re.compile(r"\.[0-9a-f]{32}\.\d+\.(\d+\.)?(part|report|kernel_npy|kernel_png)")


def output_rel(src_rel: str, pattern: str, *, scale: Scale, suffix: str, tag: str = "") -> str:
    """Name the output of `src_rel`, in the same sub-folder.

    Args:
        src_rel: path below the inbox, in `os.fsdecode` form.
        pattern: `[output] name`, with {stem} and {scale}.
        scale: the total factor; written without trailing zeros (2, 2.25, 2x3).
        suffix: the ending, with its dot.
        tag: set before the suffix where the plain name is taken.
    """
    folder, name = os.path.split(src_rel)
    stem = _CONTROL.sub("_", _split_suffix(name)[0])
    # Everything but the stem has a fixed length, so the stem is what gives way.
    fixed = os.fsencode(pattern.format(stem="", scale=label(scale)) + tag + suffix)
    stem = cut_to_bytes(stem, MAX_NAME_BYTES - len(fixed))
    return os.path.join(folder, pattern.format(stem=stem, scale=label(scale)) + tag + suffix)  # noqa: PTH118


def part_beside(name: str) -> str:
    """Name the temporary file in which `name` is written."""
    return _hidden_beside(name, ".part")


def leaving_beside(name: str) -> str:
    """Name the hidden file that `name` becomes while it is deleted."""
    return _hidden_beside(name, ".leaving")


def _hidden_beside(name: str, end: str) -> str:
    return "." + cut_to_bytes(name, MAX_NAME_BYTES - len("." + end)) + end


def cut_to_bytes(text: str, limit: int) -> str:
    """Cut `text` between two characters so that its bytes fit `limit`."""
    while text and len(os.fsencode(text)) > limit:
        text = text[:-1]
    return text


def part_rel(out_rel: str, job_id: str, attempt: int) -> str:
    """Name the file an attempt writes to, beside its output."""
    return os.path.join(os.path.dirname(out_rel), f".{job_id}.{attempt}.part")  # noqa: PTH118, PTH120


def frame_part(part: str, frame: int) -> str:
    """Name the file of a frame that is not the last, beside `part`, one of `part_rel`."""
    return f"{part.removesuffix('.part')}.{frame}.part"


def is_part(name: str) -> bool:
    """Tell whether a file name is one of `part_rel`, `frame_part`, or of a companion of theirs."""
    return _PART.fullmatch(name) is not None


def tagged(rel: str, tag: str, *, reserve_bytes: int = 0) -> str:
    """Set `tag` before the suffix of a path, leaving `reserve_bytes` of the name's 255 free."""
    folder, name = os.path.split(rel)
    stem, suffix = _split_suffix(name)
    end = tag + suffix
    stem = cut_to_bytes(stem, MAX_NAME_BYTES - reserve_bytes - len(os.fsencode(end)))
    return os.path.join(folder, stem + end)  # noqa: PTH118


def _split_suffix(name: str) -> tuple[str, str]:
    """Part a name from its suffix; one too long to be kept beside a tag is no suffix."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (any bytes are legal)
    return (stem, suffix) if len(os.fsencode(suffix)) <= _MAX_SUFFIX_BYTES else (name, "")


def printable(path: str) -> str:
    """Escape what is not UTF-8 in a path, for logs and records."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
