"""The daemon's children never outlive it, and can be told apart."""

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.parts.daemon_process import (
    DATA,
    ENDLESS_ZSSR,
    DaemonProcess,
    is_alive,
    prepare,
    wait_until,
)

pytestmark = pytest.mark.e2e


def test_killed_supervisor_takes_even_stopped_children_along(tmp_path: Path) -> None:
    """A worker that hangs hears nothing, so the kernel ends it."""
    inbox = prepare(tmp_path, ENDLESS_ZSSR)
    shutil.copy(DATA / "butterfly_lr.png", inbox / "photo.png")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", stage="fit")
        spawned = daemon.spawned()
        names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in spawned]
        assert sorted(names) == ["zssr-probe", "zssr-worker"]
        for pid in spawned:
            os.kill(pid, signal.SIGSTOP)
        children = daemon.children()
        daemon.send(signal.SIGKILL)
        assert daemon.exit_code() == -signal.SIGKILL
        wait_until(lambda: not any(is_alive(pid) for pid in children), "the children to end")


def test_recycled_workers_cost_no_attempt(tmp_path: Path) -> None:
    """With one job for each worker, every image is done at its first attempt."""
    inbox = prepare(tmp_path)
    settings = tmp_path / "settings.toml"
    settings.write_text(settings.read_text().replace("[worker]", "[worker]\nmax_jobs = 1"))
    for number in range(3):
        shutil.copy(DATA / "butterfly_lr.png", inbox / f"{number}.png")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
        done = [line for line in daemon.log() if line["event"] == "job_done"]
        assert [line["attempt"] for line in done] == [1, 1, 1]
        assert all((line["patch_size"], line["batch_size"]) == (256, 4) for line in done)
        restarted = [line for line in daemon.log() if line["event"] == "worker_restarted"]
        assert {(line["reason"], line["level"]) for line in restarted} == {("recycle", "info")}
        assert len(restarted) >= 2
