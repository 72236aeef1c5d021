"""Commands to a daemon that runs, hangs, pauses or is gone: status, retry, drain, jobs --watch."""

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_process import (
    DATA,
    ENDLESS_ZSSR,
    QUICK_ZSSR,
    WAIT_S,
    DaemonProcess,
    command,
    files,
    prepare,
    wait_until,
)

pytestmark = pytest.mark.e2e

BUTTERFLY = DATA / "butterfly_lr.png"

#: A fit that lasts for a few seconds.
LONGER_ZSSR = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 2000")


def plain_status(root: Path) -> tuple[int, dict[str, Any]]:
    """Return exit code and answer of `status --json`."""
    done = command(root, "status", "--json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_status_of_a_daemon_at_work(tmp_path: Path) -> None:
    """`status` tells job, stage, queue and scan; after a kill, that no daemon is running."""
    inbox = prepare(tmp_path, ENDLESS_ZSSR)
    assert plain_status(tmp_path)[0] == 1
    for name in ("a.png", "b.png"):
        shutil.copy(BUTTERFLY, inbox / name)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        daemon.wait_for("job_queued", image="b.png")
        code, status = plain_status(tmp_path)
        assert (code, status["phase"], status["queued"], status["faults"]) == (0, "running", 1, [])
        assert status["pid"] == daemon.pid
        (job,) = status["jobs"]
        assert (job["image"], job["stage"]) == ("a.png", "fit")
        assert 0 < job["fraction"] < 1
        assert time.time() - status["last_scan_at"] < WAIT_S
        told = command(tmp_path, "status")
        assert told.returncode == 0
        assert "a.png" in told.stdout
        assert "fit " in told.stdout
        daemon.send(signal.SIGKILL)
        daemon.exit_code()
    code, status = plain_status(tmp_path)
    assert (code, status["phase"], status["queued"]) == (1, "stopped", 1)
    assert "not running" in command(tmp_path, "status").stdout


def test_status_of_a_daemon_that_hangs(tmp_path: Path) -> None:
    """A daemon that holds the ledger and does not answer is silent, and not healthy."""
    prepare(tmp_path)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("worker_ready")
        daemon.send(signal.SIGSTOP)
        code, status = plain_status(tmp_path)
        assert (code, status["phase"]) == (1, "silent")
        assert "does not answer" in str(status["faults"])


def test_status_of_a_paused_daemon(tmp_path: Path) -> None:
    """Paused is not healthy: exit code 1, with reason and message."""
    prepare(tmp_path)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("worker_ready")
        (tmp_path / "output" / ".zssr-daemon").unlink()
        (tmp_path / "output").rmdir()
        shutil.copy(BUTTERFLY, tmp_path / "inbox" / "a.png")
        daemon.wait_for("paused", reason="folder_missing")
        code, status = plain_status(tmp_path)
        assert (code, status["phase"]) == (1, "paused")
        assert status["pause"]["reason"] == "folder_missing"


def test_retry_without_a_daemon(tmp_path: Path) -> None:
    """The command itself brings the file back; the next run does the job under the same id."""
    inbox = prepare(tmp_path)
    (inbox / "bad.png").write_text("no picture")
    with DaemonProcess(tmp_path) as daemon:
        failed = daemon.wait_for("job_failed")
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
    shutil.copy(BUTTERFLY, tmp_path / "failed" / "bad.png")
    done = command(tmp_path, "retry", failed["job_id"][:8])
    assert (done.returncode, done.stderr) == (0, "")
    assert "bad.png: back in the inbox" in done.stdout
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
        assert daemon.wait_for("job_done")["job_id"] == failed["job_id"]
    assert files(tmp_path / "failed") == []
    assert files(tmp_path / "archive") == ["bad.png"]
    again = command(tmp_path, "retry", failed["job_id"])
    assert again.returncode == 1
    assert "only failed jobs" in again.stderr


def test_drain(tmp_path: Path) -> None:
    """The job in work is finished, the other stays queued, and the daemon ends with 0.

    The worker is held until the daemon drains, so that the first job cannot end before.
    """
    inbox = prepare(tmp_path, LONGER_ZSSR)
    shutil.copy(BUTTERFLY, inbox / "a.png")
    shutil.copy(BUTTERFLY, inbox / "b.png")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_queued", image="b.png")
        first = daemon.wait_for("job_progress", stage="fit")["image"]
        (worker,) = daemon.workers()
        os.kill(worker, signal.SIGSTOP)
        draining = subprocess.Popen(
            [sys.executable, "-m", "zssr_daemon", "drain"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: plain_status(tmp_path)[1]["phase"] == "draining", "the drain")
        os.kill(worker, signal.SIGCONT)
        told = draining.communicate(timeout=WAIT_S)
        assert (draining.returncode, told[1]) == (0, "")
        assert "1 in work" in told[0]
        assert daemon.exit_code() == 0
        assert daemon.wait_for("daemon_stopping")["reason"] == "drain"
    assert files(tmp_path / "archive") == [first]
    assert len(files(inbox)) == 1
    assert plain_status(tmp_path)[1]["queued"] == 1
    after = command(tmp_path, "drain")
    assert after.returncode == 1
    assert "no daemon is running" in after.stderr


def test_jobs_watch_on_a_terminal(tmp_path: Path) -> None:
    """The table shows each job's progress until Ctrl-C; without a terminal the command refuses."""
    shutil.copy(BUTTERFLY, prepare(tmp_path, ENDLESS_ZSSR) / "a.png")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        shown = b""
        ours, theirs = pty.openpty()
        watching = subprocess.Popen(
            [sys.executable, "-m", "zssr_daemon", "jobs", "--watch"],
            cwd=tmp_path,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "140"},
        )
        os.close(theirs)
        with os.fdopen(ours, "rb", buffering=0) as terminal:

            def has_drawn() -> bool:
                nonlocal shown
                shown += terminal.read(65536)
                return b"a.png" in shown and b"%, fit" in shown

            wait_until(has_drawn, "the table")
            watching.send_signal(signal.SIGINT)
            assert watching.wait(WAIT_S) == 0
        piped = command(tmp_path, "jobs", "--watch")
        assert piped.returncode == 2
        assert "needs a terminal" in piped.stderr
