"""Names of output files: from the source's name, legal everywhere, never longer than 255 bytes."""

import os

MAX_NAME_BYTES = 255
_MAX_SUFFIX_BYTES = 64


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
