"""The schema of log lines: it knows every event and every word, and refuses what is not in it."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from tests.parts.log_lines import SCHEMA, assert_valid
from zssr_daemon.daemon.supervisor import RunEnd
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import StopRung, WorkerEnd
from zssr_daemon.ledger.job import Disposal
from zssr_daemon.protocol.messages import Stage
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.telemetry.metrics import PAUSE_REASONS
from zssr_daemon.telemetry.status import Status

#: What several events share; everything else in `$defs` is an event.
SHARED = {"job", "reason", "foreign"}

RESUMED = {
    "timestamp": "2026-01-02T03:04:05.678901Z",
    "level": "info",
    "event": "resumed",
    "reason": "disk_full",
}


def test_schema_is_one() -> None:
    """The file follows the rules of JSON Schema."""
    Draft202012Validator.check_schema(SCHEMA)


def test_schema_knows_every_event() -> None:
    """Every event of the code has its place in the schema, and there are no others."""
    kinds = [kind["$ref"].removeprefix("#/$defs/") for kind in SCHEMA["oneOf"]]
    assert set(SCHEMA["$defs"]) - SHARED == {str(event) for event in Events}
    assert sorted(kinds) == sorted([*Events, "foreign"])


ON_SUCCESS = get_args(get_type_hints(type(Settings().output))["on_success"])
WATCH = set(get_args(get_args(get_type_hints(Status)["watch"])[0]))
LEVELS = get_args(get_type_hints(type(Settings().logging))["level"])

#: Each enumeration of the schema, and the words of the code that it must equal.
WORDS: dict[str, set[Any]] = {
    "properties.level": {*LEVELS, "critical"},
    "$defs.reason": set(Reason),
    "$defs.daemon_started.properties.watch": WATCH,
    "$defs.job_done.properties.disposal": {*ON_SUCCESS, None},
    "$defs.job_done.properties.seconds.propertyNames": set(get_args(Stage)),
    "$defs.job_progress.properties.stage": set(get_args(Stage)),
    "$defs.paused.properties.reason": set(PAUSE_REASONS),
    "$defs.resumed.properties.reason": set(PAUSE_REASONS),
    "$defs.worker_restarted.properties.reason": set(WorkerEnd),
    "$defs.workers_stopping.properties.rung": set(StopRung),
    # The supervisor's own words for the end of a run.
    "$defs.daemon_stopping.properties.reason": set(RunEnd),
}


def enumerations(node: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the place and the words of each enumeration in the schema."""
    if isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield path, node["enum"]
        for name, child in node.items():
            yield from enumerations(child, f"{path}.{name}".removeprefix("."))


def test_words_are_those_of_the_code() -> None:
    """An enumeration lists the code's words, no more and no less, and each of them once."""
    found = dict(enumerations(SCHEMA))
    assert {place: sorted(map(str, words)) for place, words in found.items()} == {
        place: sorted(map(str, words)) for place, words in WORDS.items()
    }


def test_what_becomes_of_a_done_jobs_source_is_a_disposal() -> None:
    """The values of `on_success` are among the disposals of the ledger."""
    assert set(ON_SUCCESS) < set(Disposal)


def test_good_lines() -> None:
    """An event and a library's record are valid."""
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
    """A missing or unknown key, a value of another type and an unknown event are refused."""
    with pytest.raises(AssertionError):
        assert_valid({**RESUMED, **change})
