"""Fixtures for all tests: fixed seeds, fast settings on real folders, a ledger."""

import os
import random
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before numpy is loaded: as the workers do, since threads spin for each other on a busy machine.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from tests.parts.tiny_settings import TINY, SettingsFactory
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import (
    ENV_PREFIX,
    Folders,
    Limits,
    Output,
    Settings,
    Watch,
    Worker,
)
from zssr_daemon.settings.web_table import Web


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take minutes: at the end one process would wait for the other."""
    items.sort(key=lambda item: item.get_closest_marker("minutes") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have recorded for people to read, such as how many cases they tried."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{report.nodeid}: {value} {name}")


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_caller() -> Iterator[None]:
    """Hide the caller's ZSSR_ variables: the daemon takes each for a setting."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(ENV_PREFIX):
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Undo what a test does to signals: programs that a later test starts inherit what is ignored.

    A supervisor that runs inside a test ends by ignoring SIGTERM, for one.
    """
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def seeds() -> None:
    """Begin every test with the same random numbers."""
    random.seed(0)


@pytest.fixture
def make_settings(tmp_path: Path) -> SettingsFactory:
    """Return a maker of settings whose waits are short; a keyword replaces keys of its table."""

    def make(**tables: dict[str, Any]) -> Settings:
        folders = {name: tmp_path / name for name in Folders.model_fields}
        folders |= tables.get("folders", {})
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        watch: dict[str, Any] = {
            "stable_after_s": 0.05,
            "unreadable_after_s": 0.2,
            "scan_interval_s": 0.2,
        }
        limits: dict[str, Any] = {
            "retry_after_s": 0.05,
            "min_free_disk_bytes": 0,
            "max_input_pixels": 1_000_000,
        }
        return Settings(
            folders=Folders(**folders),
            watch=Watch(**watch | tables.get("watch", {})),
            zssr=TINY,
            output=Output(**tables.get("output", {})),
            limits=Limits(**limits | tables.get("limits", {})),
            worker=Worker(**{"devices": ("cpu",)} | tables.get("worker", {})),
            web=Web(**tables.get("web", {})),
        )

    return make


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on another file system."""
    shm = Path("/dev/shm")
    if not os.access(shm, os.W_OK) or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system")
    with tempfile.TemporaryDirectory(dir=shm) as folder:
        yield Path(folder)


@pytest.fixture
def settings(make_settings: SettingsFactory) -> Settings:
    """Return fast settings on folders that exist."""
    return make_settings()


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    """Open the ledger of `settings`."""
    ledger = Ledger.open(settings.folders.state)
    yield ledger
    ledger.close()
