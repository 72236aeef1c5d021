"""A daemon that is stopped, killed and started again loses no image and does none twice."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.parts.daemon_process import (
    DATA,
    ENDLESS_ZSSR,
    DaemonProcess,
    command,
    files,
    is_alive,
    prepare,
    wait_until,
)
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger

pytestmark = pytest.mark.e2e


def drop(inbox: Path) -> None:
    """Drop the butterfly."""
    shutil.copy(DATA / "butterfly_lr.png", inbox / "photo.png")


def finish(root: Path) -> None:
    """Start again with a short fit, and expect exactly one output and one archived source."""
    prepare(root)
    with DaemonProcess(root, "--once") as daemon:
        assert daemon.exit_code() == 0
    assert files(root / "output") == ["photo_x2.png"]
    assert files(root / "archive") == ["photo.png"]
    assert files(root / "inbox") == []
    assert files(root / "failed") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ordered_stop_puts_the_running_job_back(tmp_path: Path, number: signal.Signals) -> None:
    """The daemon exits with 0, gives the attempt back, leaves nothing behind, and goes on later."""
    drop(prepare(tmp_path, ENDLESS_ZSSR))
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        children = daemon.children()
        daemon.send(number)
        assert daemon.exit_code() == 0
        wait_until(lambda: not any(is_alive(pid) for pid in children), "the children to end")
        assert [line["event"] for line in daemon.log()][-1] == "daemon_stopped"
    ledger = Ledger.open_to_read(tmp_path / "state")
    assert [(job.state, job.attempts) for job in ledger.newest()] == [(JobState.QUEUED, 0)]
    ledger.close()
    assert files(tmp_path / "output") == []
    assert files(tmp_path / "inbox") == ["photo.png"]
    finish(tmp_path)


def test_ctrl_c_reaches_the_whole_group_and_still_stops_in_order(tmp_path: Path) -> None:
    """A terminal signals every process; the workers leave the stop to the supervisor."""
    drop(prepare(tmp_path, ENDLESS_ZSSR))
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        for pid in [daemon.pid, *daemon.children()]:
            os.kill(pid, signal.SIGINT)
        assert daemon.exit_code() == 0
    finish(tmp_path)


def test_second_signal_does_not_wait_for_a_stuck_worker(tmp_path: Path) -> None:
    """At the second signal the daemon ends at once, with the job back in the queue."""
    drop(prepare(tmp_path, ENDLESS_ZSSR))
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        children = daemon.children()
        for pid in daemon.spawned():
            os.kill(pid, signal.SIGSTOP)
        daemon.send(signal.SIGTERM)
        daemon.wait_for("daemon_stopping")
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
        wait_until(lambda: not any(is_alive(pid) for pid in children), "the children to end")
    finish(tmp_path)


def test_killed_supervisor_leaves_no_worker_and_loses_nothing(tmp_path: Path) -> None:
    """After SIGKILL the workers end by themselves, and the next start finishes the job."""
    drop(prepare(tmp_path, ENDLESS_ZSSR))
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        children = daemon.children()
        assert children
        daemon.send(signal.SIGKILL)
        assert daemon.exit_code() == -signal.SIGKILL
        wait_until(lambda: not any(is_alive(pid) for pid in children), "the workers to end")
    finish(tmp_path)


def test_killed_worker_is_replaced_and_its_job_tried_again(tmp_path: Path) -> None:
    """The crash costs the job an attempt and nothing else."""
    drop(prepare(tmp_path, ENDLESS_ZSSR))
    with DaemonProcess(tmp_path) as daemon:
        for attempt in (1, 2, 3):
            daemon.wait_for("job_progress", stage="fit", attempt=attempt)
            for pid in daemon.spawned():
                os.kill(pid, signal.SIGKILL)
        failed = daemon.wait_for("job_failed")
        assert (failed["reason"], failed["attempts"]) == ("worker_crash", 3)
        retries = [line["reason"] for line in daemon.log() if line["event"] == "job_retry"]
        assert retries == ["worker_crash", "worker_crash"]
    assert files(tmp_path / "failed") == ["photo.png", "photo.png.error.json"]
    assert files(tmp_path / "output") == []


def test_ledger_that_is_deleted_or_damaged_in_use(tmp_path: Path) -> None:
    """The daemon goes on with an empty ledger: the history is lost, and no picture is."""
    inbox = prepare(tmp_path)
    ledger = tmp_path / "state" / LEDGER_NAME
    with DaemonProcess(tmp_path) as daemon:
        drop(inbox)
        daemon.wait_for("job_done")
        ledger.unlink()
        shutil.copy(DATA / "butterfly_lr.png", inbox / "after_deletion.png")
        daemon.wait_for("ledger_lost")
        daemon.wait_for("job_done", image="after_deletion.png")
        ledger.write_bytes(b"this is no database" * 1000)
        shutil.copy(DATA / "butterfly_lr.png", inbox / "after_damage.png")
        daemon.wait_for("ledger_set_aside")
        daemon.wait_for("job_done", image="after_damage.png")
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
    names = ["after_damage", "after_deletion", "photo"]
    assert files(tmp_path / "archive") == [f"{name}.png" for name in names]
    assert files(tmp_path / "output") == [f"{name}_x2.png" for name in names]


def test_second_daemon_on_the_same_folders_is_turned_away(tmp_path: Path) -> None:
    """The ledger has one writer: the second exits with 75 and says why."""
    prepare(tmp_path)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("worker_ready")
        second = command(tmp_path, "run", "--settings", "settings.toml")
        assert second.returncode == 75
        assert "another zssr-daemon is running" in second.stderr
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0


def test_once_does_not_wait_for_a_device_that_is_not_there(tmp_path: Path) -> None:
    """A cron job with a wrong device ends with exit code 1, and the image stays in the inbox."""
    drop(prepare(tmp_path))
    text = (tmp_path / "settings.toml").read_text()
    (tmp_path / "settings.toml").write_text(text.replace('["cpu"]', '["cuda:99"]'))
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
        assert daemon.wait_for("worker_restarted")["reason"] == "device_lost"
        assert daemon.wait_for("daemon_stopping")["reason"] == "device_lost"
    assert files(tmp_path / "inbox") == ["photo.png"]
