"""The schema of log lines: it knows every event, and refuses what is not in it."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.parts.log_lines import SCHEMA, assert_valid
from zssr_daemon.telemetry.logs import Events

RESUMED = {
    "timestamp": "2026-01-02T03:04:05.678901Z",
    "level": "info",
    "event": "resumed",
    "reason": "disk_full",
}


def test_schema_is_one() -> None:
    """By the rules of JSON Schema."""
    Draft202012Validator.check_schema(SCHEMA)


def test_schema_knows_every_event() -> None:
    """And no others."""
    assert set(SCHEMA["$defs"]) - {"job", "foreign"} == {str(event) for event in Events}
    assert len(SCHEMA["oneOf"]) == len(SCHEMA["$defs"]) - 1


def test_good_lines() -> None:
    """An event, and a library's record."""
    assert_valid(RESUMED)
    foreign = {name: RESUMED[name] for name in ("timestamp", "level")}
    assert_valid({**foreign, "event": "old style", "logger": "someone"})


@pytest.mark.parametrize(
    "change",
    [
        {"reason": None},
        {"reason": "a sentence"},
        {"timestamp": "yesterday"},
        {"level": "loud"},
        {"unknown": 1},
        {"event": "unheard_of"},
    ],
)
def test_bad_lines(change: dict[str, Any]) -> None:
    """A missing or unknown key, a value of another kind, an event that nobody documented."""
    with pytest.raises(AssertionError):
        assert_valid({**RESUMED, **change})
