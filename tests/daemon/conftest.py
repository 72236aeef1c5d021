"""Fixtures for tests of the daemon: short waits, the log, and daemons that a test steps."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.parts.fake_executor import Answer
from tests.parts.stepped_daemon import DaemonFactory, SteppedDaemon
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.daemon import pause, recovery
from zssr_daemon.ledger.ledger import Ledger


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause, "_CHECK_S", 0.05)
    monkeypatch.setattr(recovery, "_DISPOSAL_RETRY_S", 0.05)


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """Capture what is logged."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def make_daemon(make_settings: SettingsFactory, ledger: Ledger) -> Iterator[DaemonFactory]:
    """Return a maker of daemons; `tables` replaces settings."""
    made: list[SteppedDaemon] = []

    def make(*answers: Answer, **tables: dict[str, Any]) -> SteppedDaemon:
        made.append(SteppedDaemon(make_settings(**tables), ledger, *answers))
        return made[-1]

    yield make
    for daemon in made:
        daemon.close()
