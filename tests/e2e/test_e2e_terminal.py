"""A terminal that is closed, or a pipe that nobody reads, ends nothing in mid job."""

import os
import pty
import select
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_process import DATA, ENDLESS_ZSSR, DaemonProcess, files, prepare
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger

pytestmark = pytest.mark.e2e


class Terminal:
    """A window that shows what a program prints, until it is closed."""

    def __init__(self) -> None:
        self._master, self.end = pty.openpty()
        self.name = os.ttyname(self.end)
        self._is_closed = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self.text = b""
        self._reader.start()

    def close(self) -> None:
        """Close the window: the program's end is hung up."""
        if not self._is_closed.is_set():
            self._is_closed.set()
            self._reader.join()
            os.close(self.end)
            os.close(self._master)

    def _read(self) -> None:
        while not self._is_closed.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                self.text += os.read(self._master, 65536)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Open a terminal."""
    terminal = Terminal()
    yield terminal
    terminal.close()


def drop(inbox: Path) -> None:
    """Drop the butterfly."""
    shutil.copy(DATA / "butterfly_lr.png", inbox / "photo.png")


def heed_hangup() -> None:
    """Do as a shell does, in the child: the tests themselves may run under `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def take_terminal(terminal: Terminal) -> None:
    """Make it the terminal of this session, in the child: then the kernel sends SIGHUP too."""
    heed_hangup()
    os.close(os.open(terminal.name, os.O_RDWR))


@pytest.mark.parametrize("is_told_by_signal", [True, False])
def test_closed_terminal_is_an_ordered_stop(
    tmp_path: Path, terminal: Terminal, is_told_by_signal: bool
) -> None:
    """By SIGHUP, or where only writes fail: the log file says why, and the job is queued again."""
    popen: dict[str, Any] = {"stdout": terminal.end, "preexec_fn": heed_hangup}
    if is_told_by_signal:
        popen |= {"start_new_session": True, "preexec_fn": lambda: take_terminal(terminal)}
    drop(prepare(tmp_path, ENDLESS_ZSSR))
    with DaemonProcess(tmp_path, environment={"TERM": "xterm"}, **popen) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        terminal.close()
        assert daemon.exit_code() == 0
        ends = [line for line in daemon.log() if line["event"].startswith("daemon_stop")]
        assert [line.get("reason") for line in ends] == ["terminal_closed", None]
    assert b"photo.png" in terminal.text
    ledger = Ledger.open_to_read(tmp_path / "state")
    assert [(job.state, job.attempts) for job in ledger.newest()] == [(JobState.QUEUED, 0)]
    ledger.close()


def ignore_hangup(terminal: Terminal) -> None:
    """Do as `nohup` does."""
    take_terminal(terminal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_daemon_that_ignores_the_hangup_goes_on(tmp_path: Path, terminal: Terminal) -> None:
    """Whoever starts it with `nohup` wants it to outlive the terminal."""
    inbox = prepare(tmp_path)
    popen: dict[str, Any] = {"start_new_session": True}
    popen |= {"stdout": terminal.end, "preexec_fn": lambda: ignore_hangup(terminal)}
    with DaemonProcess(tmp_path, environment={"TERM": "xterm"}, **popen) as daemon:
        daemon.wait_for("worker_ready")
        terminal.close()
        drop(inbox)
        daemon.wait_for("job_done")
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
        assert daemon.log()[-1]["event"] == "daemon_stopped"


def test_pipe_that_nobody_reads(tmp_path: Path) -> None:
    """As `run --once | head -1`: standard error is quiet, log file and exit code are as ever."""
    drop(prepare(tmp_path))
    with DaemonProcess(tmp_path, "--once", stdout=subprocess.PIPE) as daemon:
        output = daemon._process.stdout
        assert output is not None
        assert b"daemon_started" in output.readline()
        output.close()
        daemon._process.stdout = None
        assert daemon.exit_code() == 0
        assert {"job_done", "daemon_stopped"} <= {line["event"] for line in daemon.log()}
    assert files(tmp_path / "output") == ["photo_x2.png"]
