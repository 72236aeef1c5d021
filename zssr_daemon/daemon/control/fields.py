"""Fields: the values of a request on the control socket, which anybody of the group may send."""

import math
from typing import Any

from zssr_daemon.errors import RequestRefusedError


def text(request: dict[str, Any], name: str) -> str | None:
    """Return a text, or None where there is none.

    Raises:
        RequestRefusedError: it is no text.
    """
    value = request.get(name)
    if value is None or isinstance(value, str):
        return value
    raise RequestRefusedError(f"{name} must be a text, not {value!r}")


def needed_text(request: dict[str, Any], name: str) -> str:
    """Return a text that must be there.

    Raises:
        RequestRefusedError: it is missing, or no text.
    """
    value = text(request, name)
    if value is None:
        raise RequestRefusedError(f"{name} is missing")
    return value


def number(request: dict[str, Any], name: str, default: int) -> int:
    """Return a whole number from 0 to a million, or the default.

    Raises:
        RequestRefusedError: it is no such number.
    """
    value = request.get(name, default)
    if isinstance(value, int) and 0 <= value <= 1_000_000:
        return value
    raise RequestRefusedError(f"{name} must be a whole number from 0 to 1000000, not {value!r}")


def seconds(request: dict[str, Any], name: str) -> float | None:
    """Return a time of at least 0 seconds, or None where there is none.

    Raises:
        RequestRefusedError: it is no such time.
    """
    value = request.get(name)
    if value is None:
        return None
    if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
        return float(value)
    raise RequestRefusedError(f"{name} must be seconds, at least 0, not {value!r}")
