"""Notifier: what it sends, when, and to which kind of socket."""

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.daemon_parts import wait_until
from tests.parts.notify_socket import NotifySocket
from zssr_daemon.system.sd_notify import Notifier

Told = list[str]


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NotifySocket]:
    """Listen on both kinds of address."""
    address = f"@{uuid.uuid4()}" if request.param == "abstract" else str(tmp_path / "notify")
    with NotifySocket(address) as socket:
        yield socket


def test_ready_is_told_once_and_status_when_it_changes(manager: NotifySocket) -> None:
    """No message is repeated, and a newline in a name makes no second line."""
    notifier = Notifier(manager.address)
    notifier.step(0.0, "starting", is_ready=False, is_alive=True)
    for now in (2.0, 4.0):
        notifier.step(now, "a\nREADY=0", is_ready=True, is_alive=True)
    notifier.stopping("signal")
    expected = ["STATUS=starting", "READY=1", "STATUS=a READY=0"]
    expected += ["STOPPING=1\nSTATUS=stopping: signal"]
    wait_until(lambda: len(manager.messages) >= 4)
    assert manager.told() == expected


def test_pings_at_half_the_interval_while_alive(manager: NotifySocket) -> None:
    """A ping comes when it is due, but not while a part does not answer."""
    notifier = Notifier(manager.address, watchdog_s=120.0)
    for second in range(100):
        notifier.step(float(second), "", is_ready=True, is_alive=True)
    for second in range(100, 300):
        notifier.step(float(second), "", is_ready=True, is_alive=False)
    notifier.step(300.0, "", is_ready=True, is_alive=True)
    notifier.stopping("end")
    wait_until(lambda: manager.told("STOPPING"))
    assert len(manager.told("WATCHDOG=1")) == 3  # at 0, 60 and 300 s


def test_reload_is_framed(manager: NotifySocket) -> None:
    """RELOADING with the monotonic time in µs, then READY, as notify-reload asks for."""
    notifier = Notifier(manager.address)
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    notifier.reloaded()
    wait_until(lambda: manager.told("READY=1"))
    first, usec = manager.told()[0].split("\n")
    assert first == "RELOADING=1"
    name, _, moment_us = usec.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before_us <= int(moment_us) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_slow_start_asks_for_time(manager: NotifySocket, monkeypatch: pytest.MonkeyPatch) -> None:
    """More time is asked for only while the daemon is alive and not ready."""
    monkeypatch.setattr("zssr_daemon.system.sd_notify.time.monotonic", lambda: 0.0)
    notifier = Notifier(manager.address)
    for now in range(100):
        notifier.step(float(now), "", is_ready=now > 70, is_alive=now < 50)
    wait_until(lambda: manager.told("READY=1"))
    assert manager.told("EXTEND") == ["EXTEND_TIMEOUT_USEC=60000000"] * 2  # at 20 and 40 s


def test_environment_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No child finds the variables, and another process's watchdog is not ours."""
    for pid, is_ours in [(str(os.getpid()), True), ("1", False)]:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        monkeypatch.setenv("WATCHDOG_PID", pid)
        notifier = Notifier.from_environment()
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)
        assert (notifier._ping_s == 1.0) is is_ours
        notifier.step(0.0, "nobody listens", is_ready=True, is_alive=True)  # and nothing happens


def test_without_a_manager() -> None:
    """Without a service manager nothing is sent."""
    notifier = Notifier.from_environment()
    notifier.step(0.0, "", is_ready=True, is_alive=True)
    notifier.stopping("end")
