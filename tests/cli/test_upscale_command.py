"""The command `upscale` itself: what it prints where."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from tests.parts.daemon_parts import drop, files_in
from zssr_daemon.cli.commands import app
from zssr_daemon.worker import report_draft

TINY = """
[zssr]
num_epochs = 2
rounds = 1
model_width = 4
model_depth = 2
self_ensemble = false
[worker]
devices = ["cpu"]
"""


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Give the logging of the tests back, which the command sets up for itself."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def test_failing_report_is_no_line_of_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output is there, standard output names it, and standard error says what failed."""

    def refuse(*_: object, **__: object) -> str:
        raise ValueError("no report today")

    monkeypatch.setattr(report_draft, "report_html", refuse)
    image = drop(tmp_path / "images")
    (tmp_path / "settings.toml").write_text(TINY)
    command = ["upscale", str(image), "--report", "--settings", str(tmp_path / "settings.toml")]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "300"})
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{image}: {image.with_name('a_x2.png')} in ")
    assert done.stdout.count("\n") == 1
    assert "no report today" in done.output
    assert files_in(image.parent) == ["a.png", "a_x2.png"]
