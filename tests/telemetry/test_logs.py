"""Logs: every line is one JSON object, whoever wrote it and whatever a file is called."""

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from rich.console import Console

from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events, LogSettings


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []  # configure() closes those that it finds
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Configure a log file in a folder that is not there yet; the terminal's lines are dropped."""
    path = tmp_path / "log" / "zssr.jsonl"
    logs.configure(LogSettings(file=path), Console(file=io.StringIO()))
    return path


def lines_of(file: Path) -> list[dict[str, Any]]:
    """Read a log file strictly."""

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return [
        json.loads(line, parse_constant=refuse)
        for line in file.read_bytes().decode("utf-8").splitlines()
    ]


def test_line_begins_with_when_and_what(file: Path) -> None:
    """Time (UTC), level and event come first; the keys follow."""
    logs.get_logger(job_id="ab").info(Events.JOB_STARTED, image="ä.png", scale=2.0)
    (line,) = lines_of(file)
    assert list(line) == ["timestamp", "level", "event", "job_id", "image", "scale"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["image"]) == ("info", "job_started", "ä.png")


def test_others_use_the_same_chain(file: Path) -> None:
    """Third-party records and warnings become events too."""
    logging.getLogger("someone").warning("old %s", "style")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
    first, second = lines_of(file)
    assert (first["event"], first["level"], first["logger"]) == ("old style", "warning", "someone")
    assert "careful" in second["event"]


def test_exception_is_data_without_locals(file: Path) -> None:
    """A traceback is part of the line, and shows no values of variables."""
    secret = "do not tell"
    try:
        raise RuntimeError("known")
    except RuntimeError:
        logs.get_logger().exception("failed")
    (line,) = lines_of(file)
    assert line["exception"][0]["exc_value"] == "known"
    assert secret not in file.read_text()


def test_level_is_kept(tmp_path: Path) -> None:
    """What is below the level is not written."""
    file = tmp_path / "log.jsonl"
    logs.configure(LogSettings(level="warning", file=file), Console(file=io.StringIO()))
    logs.get_logger().info("unheard")
    logs.get_logger().warning("heard")
    assert [line["event"] for line in lines_of(file)] == ["heard"]


def test_name_that_is_no_text(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bytes that are not UTF-8, if left unescaped by mistake, lose no line."""
    logs.get_logger().info(Events.DAEMON_STARTED, folder=os.fsdecode(b"\xff"))
    assert [line["event"] for line in lines_of(file)] == ["daemon_started"]
    assert capsys.readouterr().err == ""


def test_rotated_file_is_followed(file: Path) -> None:
    """Renaming the file is enough; the next line begins a new one."""
    logs.get_logger().info("first")
    file.rename(file.with_suffix(".1"))
    logs.get_logger().info("second")
    assert [line["event"] for line in lines_of(file)] == ["second"]


def test_configuring_twice_tells_once(tmp_path: Path) -> None:
    """A second call replaces the first."""
    for name in ("a", "b"):
        logs.configure(LogSettings(file=tmp_path / name), Console(file=io.StringIO()))
    logs.get_logger().info("once")
    assert lines_of(tmp_path / "a") == []
    assert len(lines_of(tmp_path / "b")) == 1


def test_log_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """It is an error of the system, told to the caller."""
    with pytest.raises(IsADirectoryError):
        logs.configure(LogSettings(file=tmp_path))


def test_terminal_shows_any_text() -> None:
    """Brackets in a name are printed as they are."""
    stream = io.StringIO()
    logs.configure(LogSettings(), Console(file=stream, width=200))
    logs.get_logger().info("told", image="[red]a[/].png")
    assert "[red]a[/].png" in stream.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_standard_output_is_json_in_any_locale(encoding: str) -> None:
    """Under the plain C locale too, a name that is not UTF-8 loses no line."""
    code = (
        "from zssr_daemon.telemetry import logs; logs.configure(logs.LogSettings());"
        "logs.get_logger().info('told', image='ä' + chr(0xDCFF))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )
    assert done.stderr == b""
    assert json.loads(done.stdout)["event"] == "told"
    assert json.loads(done.stdout)["image"][0] == "ä"


def test_journal_gets_priorities() -> None:
    """Lines to the journal have a priority in front; lines to the file have none."""
    code = (
        "import os; status = os.fstat(1);"
        "os.environ['JOURNAL_STREAM'] = f'{status.st_dev}:{status.st_ino}';"
        "from zssr_daemon.telemetry import logs; logs.configure(logs.LogSettings(level='debug'));"
        "log = logs.get_logger();"
        "[getattr(log, n)('told') for n in ('debug', 'info', 'warning', 'error', 'critical')]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    prefixes, lines = zip(*(line.split(">", 1) for line in done.stdout.splitlines()), strict=True)
    assert prefixes == ("<7", "<6", "<4", "<3", "<2")
    assert {json.loads(line)["event"] for line in lines} == {"told"}


def test_lines_of_several_processes_never_mix(tmp_path: Path) -> None:
    """Each line is one write, on a pipe and in a file, however long it is."""
    code = (
        "import sys; from pathlib import Path; from zssr_daemon.telemetry import logs;"
        "logs.configure(logs.LogSettings(file=Path(sys.argv[1])));"
        "log = logs.get_logger();"
        "[log.info('told', image=str(n) * 3000) for n in range(10) for _ in range(30)]"
    )
    file = tmp_path / "log.jsonl"
    reader, writer = os.pipe()
    args = [sys.executable, "-c", code, str(file)]
    writing = [subprocess.Popen(args, stdout=writer) for _ in range(4)]
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        piped = stream.read()
    assert [process.wait() for process in writing] == [0] * 4
    for content in (piped, file.read_bytes()):
        lines = [json.loads(line) for line in content.splitlines()]
        assert len(lines) == 1200
        assert all(len(set(line["image"])) == 1 for line in lines)
