"""TomlText: what a TOML file says, its faults named for what they are; and how one is written."""

import codecs
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

#: A backslash behind a double quote; TOML takes it for the begin of an escape.
_ESCAPE = re.compile(r'"[^"]*\\')


def parse_toml(content: bytes) -> dict[str, Any]:
    """Return the tables of a TOML file; a byte order mark at its beginning is passed over.

    Raises:
        ValueError: it is no TOML in UTF-8; the message says why, and how to correct it.
    """
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        cure = _cure(content, str(error))
        raise ValueError(f"no TOML in UTF-8: {error}; {cure}") from error


def toml_text(tables: Mapping[str, Mapping[str, str | bool | int | float]]) -> str:
    """Return tables of plain values as a TOML file says them."""
    lines = []
    for table, values in tables.items():
        lines += [f"[{table}]", *(f"{key} = {_value(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


def _value(value: str | bool | int | float) -> str:
    """Write one value; JSON in ASCII writes strings, numbers and truth values as TOML does."""
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007F")


def _cure(content: bytes, fault: str) -> str:
    if content.startswith(_UTF16) or b"\0" in content[:4]:
        return "the file is in UTF-16: save it in UTF-8"
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return "save the file in UTF-8"
    place = re.search(r"at line (\d+)", fault)
    if place is not None and _ESCAPE.search(lines[int(place[1]) - 1]):
        return r"between double quotes \ begins an escape: write 'C:\scans' in single quotes"
    return "mend the file"
