"""Limits: what a parameter may be, a range of numbers or one of some values.

Standard library only, as `config` is.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers that a parameter may have; NaN is in no range."""

    low: float
    high: float  # may be reached
    is_low_allowed: bool = True
    is_whole: bool = False

    def __contains__(self, value: float) -> bool:
        if not (self.low <= value if self.is_low_allowed else self.low < value):
            return False
        return value <= self.high and (not self.is_whole or int(value) == value)

    def __str__(self) -> str:
        if not self.is_low_allowed:
            return f"above {self.low} and at most {self.high}"
        return f"{'a whole number ' if self.is_whole else ''}from {self.low} to {self.high}"


def above(low: float, high: float) -> Range:
    """Return the numbers above `low`, up to `high`."""
    return Range(low, high, is_low_allowed=False)


def whole(low: int, high: int) -> Range:
    """Return the whole numbers from `low` to `high`."""
    return Range(low, high, is_whole=True)


def limit_of(kind: Any) -> Container[object]:
    """Return what a field of type `kind` may be: what stands beside it, or one of its values."""
    if get_origin(kind) is not Annotated:
        return _choices(kind)
    (limit,) = kind.__metadata__
    assert isinstance(limit, Container)
    return limit


def _choices(kind: Any) -> tuple[object, ...]:
    """Return the values of bool, of a Literal, or of a union of these."""
    if kind is bool:
        return (False, True)
    if get_origin(kind) is Literal:
        return get_args(kind)
    return tuple(value for part in get_args(kind) for value in _choices(part))


def one_of(choices: tuple[object, ...]) -> str:
    """Return how a message names them."""
    return f"one of {', '.join(map(str, choices))}"
