"""StatusReporter: each part that dies is noticed, and a declared pause excuses what it explains."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from zssr_daemon.daemon.status_reporter import Parts as DaemonParts
from zssr_daemon.daemon.status_reporter import StatusReporter
from zssr_daemon.errors import Reason
from zssr_daemon.telemetry.metrics import PAUSE_REASONS
from zssr_daemon.telemetry.status import WorkerStatus


@dataclass
class Parts:
    """What the reporter looks at, as a test sets it; `calls` counts the writes."""

    scans: int = 1
    last_scan_s: float = 1000.0
    is_watch_well: bool = True  # as `watch.is_well`
    reason: Reason | None = None
    is_well: bool = True
    is_ready: bool = True
    has_worker: bool = True
    error: OSError | None = None
    calls: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.reason is not None

    @property
    def watch(self) -> SimpleNamespace:
        return SimpleNamespace(is_well=self.is_watch_well)

    def workers(self) -> list[WorkerStatus]:
        worker = WorkerStatus(
            device="d", is_ready=self.is_ready, is_well=self.is_well, silent_for_s=0
        )
        return [worker] if self.has_worker else []

    def prove(self) -> None:
        self.calls.append(1)
        if self.error is not None:
            raise self.error


def health_of(parts: Parts) -> StatusReporter:
    """Return a reporter on these parts, at 1000 s, after one write to the ledger."""
    some = cast(Any, parts)
    looked_at = DaemonParts(
        ledger=some, executor=some, intake=some, lifecycle=some, pause=some, signals=some
    )
    health = StatusReporter(looked_at, scan_interval_s=15.0)
    health.step(1000.0)
    return health


@pytest.mark.parametrize(
    ("change", "now", "fault", "excuses"),
    [
        ({}, 1000.0, None, []),
        ({"is_watch_well": False}, 1000.0, "the watch", ["folder_missing"]),
        ({}, 1044.0, None, []),
        ({}, 1046.0, "was not looked at for 46 s", ["folder_missing"]),
        ({"last_scan_s": 1061.0}, 1061.0, "took no write", ["folder_missing", "disk_full"]),
        ({"is_well": False}, 1000.0, "no worker", ["device_lost", "children_unavailable"]),
        ({"has_worker": False}, 1000.0, None, []),  # a cluster has not offered one yet
    ],
)
def test_faults(change: dict[str, Any], now: float, fault: str | None, excuses: list[str]) -> None:
    """Watch, scan, ledger, worker: each is reported unless a pause explains it."""
    for reason in (None, *PAUSE_REASONS):
        parts = Parts()
        health = health_of(parts)
        for name, value in {**change, "reason": reason}.items():
            setattr(parts, name, value)
        told = health.faults(now)
        if fault is None or reason in excuses:
            assert told == ()
        else:
            assert len(told) == 1
            assert fault in told[0]


def test_writes_are_tried_now_and_then() -> None:
    """Twice a minute, so that a minute without success is noticed."""
    parts = Parts()
    health = health_of(parts)
    for second in range(90):
        health.step(1000.0 + second)
    assert len(parts.calls) == 3


def test_failed_write_is_told_and_tried_again() -> None:
    """The error reaches the caller; the time since the last success keeps growing."""
    parts = Parts()
    health = health_of(parts)
    parts.error = OSError("full")
    for now in (1030.0, 1060.0):
        with pytest.raises(OSError, match="full"):
            health.step(now)
    parts.last_scan_s = 1070.0
    assert "70 s" in health.faults(1070.0)[0]


@pytest.mark.parametrize(
    ("change", "has_started"),
    [
        ({}, True),
        ({"scans": 0}, False),
        ({"is_ready": False}, False),
        ({"has_worker": False}, False),
        ({"is_ready": False, "reason": Reason.DEVICE_LOST}, True),
        ({"scans": 0, "reason": Reason.FOLDER_MISSING}, True),
    ],
)
def test_begin(change: dict[str, Any], has_started: bool) -> None:
    """The start is over after the first scan and a worker's self-test, or with a pause."""
    assert health_of(Parts(**change)).has_started is has_started
