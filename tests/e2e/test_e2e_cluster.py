"""The daemon with a cluster behind it, by a gateway double: it uses, loses and finds it again."""

import os
import signal
from pathlib import Path

import pytest

from tests.parts.daemon_process import (
    ENDLESS_ZSSR,
    WAIT_S,
    DaemonProcess,
    command,
    files,
    prepare,
)
from tests.parts.gateway_double import GatewayDouble
from tests.parts.gateway_wire import NODE
from tests.parts.picture_files import smooth_picture

pytestmark = pytest.mark.e2e

CLUSTER = """
[cluster]
address = "127.0.0.2:26379"
token_file = "token"
"""

ENDLESS = f"[zssr]{ENDLESS_ZSSR}"


def prepare_cluster(root: Path, mode: int = 0o600) -> Path:
    """Write settings with a cluster, and a token; return the inbox."""
    inbox = prepare(root, more=CLUSTER)
    (root / "token").write_text("secret\n")
    (root / "token").chmod(mode)
    return inbox


def drop(inbox: Path, name: str, own_settings: str = "") -> None:
    """Drop the same picture under a name, with settings of its own if there are any."""
    if own_settings:
        (inbox / f"{name}.toml").write_text(own_settings)
    smooth_picture(20, 15).save(inbox / f".{name}", "PNG")
    (inbox / f".{name}").rename(inbox / f"{name}.png")


@pytest.mark.timeout(3 * WAIT_S)
def test_cluster_comes_and_goes(tmp_path: Path) -> None:
    """Near slots first; what was in work far away is done by the next gateway, and only once."""
    inbox = prepare_cluster(tmp_path)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("daemon_started", cluster="127.0.0.2:26379")
        daemon.wait_for("worker_ready", device="cpu")
        drop(inbox, "near", ENDLESS)
        assert "node" not in daemon.wait_for("job_started", image="near.png")
        (near,) = daemon.workers()
        os.kill(near, signal.SIGSTOP)  # it is busy, and leaves the processor to the others
        gateway = GatewayDouble(tmp_path / "state")
        try:
            daemon.wait_for("worker_ready", node=NODE)
            drop(inbox, "far")
            daemon.wait_for("job_started", image="far.png", node=NODE, device="cpu")
            far = daemon.wait_for("job_done", image="far.png", node=NODE, device="cpu")
            drop(inbox, "late", ENDLESS)
            daemon.wait_for("job_progress", image="late.png", stage="fit")
            shown = command(tmp_path, "status").stdout
            assert f"cpu on {NODE} (ready)" in " ".join(shown.split())
        finally:
            gateway.leave()
        daemon.wait_for("gateway_lost")
        daemon.wait_for("worker_restarted", reason="cluster_lost", node=NODE)
        daemon.wait_for("job_retry", image="late.png", reason="worker_gone", next_attempt_s=0.0)
        (inbox / "late.toml").unlink()
        gateway = GatewayDouble(tmp_path / "state")
        try:
            late = daemon.wait_for("job_done", image="late.png", node=NODE)
            os.kill(near, signal.SIGCONT)
            daemon.send(signal.SIGTERM)
            assert daemon.exit_code() == 0
        finally:
            gateway.leave()
        assert gateway.workers == {}
        assert (late["attempt"], late["out_sha256"]) == (1, far["out_sha256"])
        done = [line["image"] for line in daemon.log() if line["event"] == "job_done"]
        assert done == ["far.png", "late.png"]
    assert files(tmp_path / "output") == ["far_x2.png", "late_x2.png"]
    assert files(tmp_path / "archive") == ["far.png", "late.png"]
    assert files(inbox) == ["near.png", "near.toml"]
    assert not list((tmp_path / "state").glob("*.sock"))


def test_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The daemon does not start, and says how to mend it."""
    prepare_cluster(tmp_path, mode=0o640)
    done = command(tmp_path, "run", "--once")
    assert done.returncode == 78
    assert "chmod 600" in done.stderr.replace("\n", " ")
