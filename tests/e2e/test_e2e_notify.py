"""The real daemon under a real notify socket, as systemd would run it."""

import os
import shutil
import signal
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_process import DATA, ENDLESS_ZSSR, DaemonProcess, prepare, wait_until
from tests.parts.notify_socket import NotifySocket

pytestmark = pytest.mark.e2e

#: Longer than a worker takes to start on a busy machine, or it would never be ready.
SILENT_AFTER_S = 30


def moment_of(line: dict[str, Any]) -> float:
    """Return when a log line was written, in seconds since the epoch."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def test_daemon_under_a_service_manager(tmp_path: Path) -> None:
    """It hears readiness, status, pings that stop while a worker hangs, reloads and the stop."""
    inbox = prepare(tmp_path, ENDLESS_ZSSR)
    settings = tmp_path / "settings.toml"
    limit = f"silent_after_s = {SILENT_AFTER_S}"
    text = settings.read_text().replace("threads = 1", f"threads = 1\n{limit}")
    settings.write_text(text)
    shutil.copy(DATA / "butterfly_lr.png", inbox / "a.png")
    with NotifySocket(f"@{uuid.uuid4()}") as manager:
        environment = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "1000000"}
        with DaemonProcess(tmp_path, environment=environment) as daemon:
            ready = daemon.wait_for("worker_ready")
            wait_until(lambda: bool(manager.told("READY=1")), "READY")
            (told,) = [when for when, text in manager.messages if text == "READY=1"]
            assert told >= moment_of(ready)
            assert "STATUS=0 queued, starting" in manager.told("STATUS")
            daemon.wait_for("job_progress", stage="fit")
            for pid in daemon.spawned():
                environ = Path(f"/proc/{pid}/environ").read_bytes()
                assert b"NOTIFY_SOCKET" not in environ
                assert b"WATCHDOG" not in environ
            wait_until(lambda: any("a.png fit" in t for t in manager.told("STATUS")), "the job")
            hang_and_recover(daemon, manager)
            reload(daemon, manager, settings, text)
            daemon.send(signal.SIGTERM)
            assert daemon.exit_code() == 0
        wait_until(lambda: bool(manager.told("STOPPING=1")), "STOPPING")


def hang_and_recover(daemon: DaemonProcess, manager: NotifySocket) -> None:
    """Stop the worker; from its time limit until its successor is ready there is no ping."""
    for pid in daemon.workers():
        os.kill(pid, signal.SIGSTOP)
    hung = daemon.wait_for("worker_restarted", reason="silent")
    daemon.wait_for("unhealthy")
    wait_until(lambda: sum(line["event"] == "worker_ready" for line in daemon.log()) == 2, "ready")
    ready = [line for line in daemon.log() if line["event"] == "worker_ready"][1]
    pings = [when for when, text in manager.messages if text == "WATCHDOG=1"]
    assert [when for when in pings if moment_of(hung) < when < moment_of(ready)] == []
    before = len(pings)
    wait_until(lambda: len(manager.told("WATCHDOG=1")) > before + 1, "pings again")
    daemon.wait_for("job_progress", stage="fit", attempt=2)


def reload(daemon: DaemonProcess, manager: NotifySocket, settings: Path, text: str) -> None:
    """Faulty settings are refused; good ones apply, and those that need a restart are named."""
    settings.write_text(text.replace("[watch]", "[watch]\nnonsense = 1"))
    daemon.send(signal.SIGHUP)
    assert "nonsense" in daemon.wait_for("settings_refused")["message"]
    settings.write_text(text.replace("threads = 1", "threads = 2") + "[output]\nmetadata='strip'\n")
    daemon.send(signal.SIGHUP)
    reloaded = daemon.wait_for("settings_reloaded")
    assert reloaded["applied"] == ["[output] metadata"]
    assert reloaded["needs_restart"] == ["[worker] threads"]
    wait_until(lambda: len(manager.told("READY=1")) == 3, "the end of both reloads")
    assert len(manager.told("RELOADING=1\nMONOTONIC_USEC=")) == 2
