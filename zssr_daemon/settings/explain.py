"""Explain: what is wrong with settings, in words that tell a user how to correct them."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

#: The keys of each table, from which the nearest one to a misspelt key is found.
Known = Mapping[str, Sequence[str]]

#: Returns where a table or key was written, given [table] or [table, key, ...].
WhereWritten = Callable[[list[str]], str]


def explain(error: ValidationError, known: Known, where: WhereWritten) -> str:
    """Return a line for each fault: where it was written, key, value, how to correct it."""
    return "\n".join(_explain_one(dict(fault), known, where) for fault in error.errors())


def _explain_one(fault: dict[str, Any], known: Known, where: WhereWritten) -> str:
    # pydantic adds the names of our functions that it called, and of the types that it tried
    parts = [part for part in fault["loc"] if not str(part).startswith("function-")]
    names = [str(part) for at, part in enumerate(parts) if at < 2 or isinstance(part, int)]
    if fault["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"{where(names)}: unknown key {_key(names)}{_nearest(names, known)}"
    message = fault["msg"].removeprefix("Value error, ")
    if not names:  # of tables that do not go together
        return f"{where(names)}: {message}"
    if (
        names == ["zssr"] and fault["type"] == "value_error"
    ):  # the message begins with key and value
        return f"{where([*names, message.split()[0]])}: [zssr] {message}"
    return f"{where(names)}: {_key(names)} = {_shorten(fault['input'])}: {message}"


def _key(names: list[str]) -> str:
    return f"[{names[0]}] {'.'.join(names[1:])}".rstrip() if names else "[]"


def _shorten(value: object) -> str:
    try:
        text = repr(value)
    except (
        ValueError,
        RecursionError,
    ):  # Python refuses to write so many digits, or so deep a list
        return f"({type(value).__name__})"
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(names: list[str], known: Known) -> str:
    candidates = list(known) if len(names) < 2 else known.get(names[0], [])
    close = difflib.get_close_matches(names[-1], candidates, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(candidates)}"
