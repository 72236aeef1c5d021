"""File names: temporary names beside a file, cut to the 255 bytes that a name may have."""

import os
import re

MAX_NAME_BYTES = 255

#: What names of Windows do not hold: separators, patterns, control characters, stray bytes.
_REFUSED = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f\ud800-\udfff]')
#: Names that mean a device there, whatever follows behind a dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *", re.IGNORECASE)

_MAX_SUFFIX_BYTES = 64


def part_beside(name: str) -> str:
    """Return the name of the temporary file in which `name` is written."""
    return _hidden_beside(name, ".part")


def leaving_beside(name: str) -> str:
    """Return the hidden name that `name` has while it is deleted."""
    return _hidden_beside(name, ".leaving")


def _hidden_beside(name: str, end: str) -> str:
    return "." + cut_to_bytes(name, MAX_NAME_BYTES - len("." + end)) + end


def cut_to_bytes(text: str, limit: int) -> str:
    """Cut characters off the end of `text` until its bytes fit `limit`."""
    while text and len(os.fsencode(text)) > limit:
        text = text[:-1]
    return text


def tagged(rel: str, tag: str, *, reserve_bytes: int = 0) -> str:
    """Put `tag` before the suffix of a path, and leave `reserve_bytes` of the name's 255 free."""
    folder, name = os.path.split(rel)
    stem, suffix = split_suffix(name)
    end = tag + suffix
    stem = cut_to_bytes(stem, MAX_NAME_BYTES - reserve_bytes - len(os.fsencode(end)))
    return os.path.join(folder, stem + end)  # noqa: PTH118


def split_suffix(name: str) -> tuple[str, str]:
    """Return stem and suffix of a name; an overlong suffix counts as part of the stem."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 (any bytes are legal)
    return (stem, suffix) if len(os.fsencode(suffix)) <= _MAX_SUFFIX_BYTES else (name, "")


def legal(rel: str) -> str:
    """Return a path with names that Windows and its file systems accept, where they differ.

    Characters that they refuse, dots and spaces at the end, and bytes that are not UTF-8 become
    "_"; a name of a device, such as CON or COM1, gets one behind it.
    """
    return "/".join(map(_legal_name, rel.split("/")))


def _legal_name(name: str) -> str:
    if name in {"", ".", ".."}:
        return name
    name = _REFUSED.sub("_", name)
    kept = name.rstrip(". ")
    name = kept + "_" * (len(name) - len(kept))
    base, dot, rest = name.partition(".")
    return f"{base}_{dot}{rest}" if _DEVICE.fullmatch(base) else name


def printable(path: str) -> str:
    """Escape the bytes of a path that are not UTF-8, for logs and records."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
