"""Reload: new settings are applied between two jobs; faulty ones are refused as a whole."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.parts.daemon_parts import context_of, drop, files_in, queue, wait_until
from tests.parts.fake_executor import FakeExecutor, good, silent
from tests.parts.tiny_settings import TINY, SettingsFactory
from zssr_daemon.daemon.context import Context
from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.reload import differences, merge
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.daemon.supervisor import Supervisor
from zssr_daemon.errors import SettingsError
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import ZSSRConfig


@pytest.fixture
def context(settings: Settings) -> Iterator[Context]:
    """Return a context, and close it after the test."""
    signals, control = Signals(), ControlSocket(settings.folders.state)
    yield context_of(settings, signals, control)
    control.close()
    signals.close()


def step(supervisor: Supervisor) -> None:
    """Do one step at the present time."""
    supervisor.step(time.monotonic())


def steps_until(supervisor: Supervisor, condition: Callable[[], object]) -> None:
    """Step until something is true."""

    def is_true() -> object:
        step(supervisor)
        return condition()

    wait_until(is_true)


def with_load(context: Context, load: Any) -> Context:
    """Return the context with other settings to be read."""
    return replace(context, load_settings=load)


def test_what_is_taken(settings: Settings, make_settings: SettingsFactory, tmp_path: Path) -> None:
    """Folders, workers and the job's time limit need a restart; the rest does not."""
    new = make_settings(
        folders={"inbox": tmp_path / "other"},
        limits={"max_attempts": 7, "job_timeout_s": 5.0},
        worker={"threads": 2},
    )
    merged = merge(settings, new)
    assert differences(settings, merged) == ["[limits] max_attempts"]
    assert differences(merged, new) == [
        "[folders] inbox",
        "[limits] job_timeout_s",
        "[worker] threads",
    ]


def test_new_scale_waits_for_the_job_in_work(
    settings: Settings, ledger: Ledger, context: Context
) -> None:
    """An output is named by the settings it was made with; the next one by the new."""
    new = settings.model_copy(update={"zssr": replace(TINY, scale_factor=3.0)})
    executor = FakeExecutor(silent)
    supervisor = Supervisor(settings, ledger, executor, with_load(context, lambda: new))
    queue(ledger, settings, "a.png")
    steps_until(supervisor, lambda: executor.orders)
    queue(ledger, settings, "b.png")
    context.signals.reload()
    step(supervisor)
    executor.answers[0] = good
    steps_until(supervisor, lambda: len(files_in(settings.folders.output)) == 2)
    supervisor._intake.stop()
    assert files_in(settings.folders.output) == ["a_x2.png", "b_x3.png"]


def test_own_settings_lie_over_the_new_ones(
    settings: Settings, ledger: Ledger, context: Context, tmp_path: Path
) -> None:
    """A profile's preset keeps what the new file sets, also where that is a preset's value."""
    (tmp_path / "new.toml").write_text("[zssr]\nnum_epochs = 4200\nseed = 5")
    new = load_settings(tmp_path / "new.toml").zssr
    merged = merge(settings, load_settings(tmp_path / "new.toml"))
    assert merged.zssr == new
    executor = FakeExecutor()
    supervisor = Supervisor(settings, ledger, executor, with_load(context, lambda: merged))
    (settings.folders.inbox / "zssr.toml").write_text('[zssr]\npreset = "best"\nscale_factor = 3.0')
    context.signals.reload()
    queue(ledger, settings)
    steps_until(supervisor, lambda: ledger.count(JobState.DONE))
    supervisor._intake.stop()
    (order,) = executor.orders
    own = {"num_epochs": 4200, "seed": 5, "scale_factor": 3.0}
    assert order.config == ZSSRConfig.from_preset("best", **own)


def test_faulty_settings_are_refused_as_a_whole(
    settings: Settings, ledger: Ledger, context: Context
) -> None:
    """The daemon goes on with what it has, and the log says what is wrong."""

    def load() -> Settings:
        raise SettingsError("settings.toml: unknown key")

    with capture_logs() as log:
        supervisor = Supervisor(settings, ledger, FakeExecutor(), with_load(context, load))
        context.signals.reload()
        drop(settings.folders.inbox)
        assert supervisor.run(is_once=True)
    refused = [line["message"] for line in log if line["event"] == "settings_refused"]
    assert refused == ["settings.toml: unknown key"]
    assert files_in(settings.folders.output) == ["a_x2.png"]
