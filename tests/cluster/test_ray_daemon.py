"""The daemon, its gateway and real nodes of Ray; each is killed amid a job, and no job is lost.

The daemon itself computes nothing. A picture that is in work when something dies has settings of
its own that make it endless; they are removed then, so that the next attempt ends.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_process import (
    ENDLESS_ZSSR,
    DaemonProcess,
    command,
    files,
    is_alive,
    prepare,
    wait_until,
)
from tests.parts.gateway_process import GatewayProcess, cluster_settings
from tests.parts.picture_files import smooth_picture
from tests.parts.ray_cluster import RayCluster
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger

pytestmark = [pytest.mark.ray, pytest.mark.e2e]

#: One that stays, and one that is killed.
STAYING, MORTAL = "127.0.0.3", "127.0.0.6"

ENDLESS = f"[zssr]{ENDLESS_ZSSR}"


class System:
    """A daemon and a gateway that are started again when a test has killed them."""

    def __init__(self, root: Path, cluster: RayCluster) -> None:
        self.root = root
        self.cluster = cluster
        self.dropped: list[str] = []
        self._stack = ExitStack()
        self.inbox = prepare(root, more=cluster_settings(cluster, local_slots="false"))

    def start_daemon(self) -> None:
        """Start a daemon."""
        self.daemon = self._stack.enter_context(DaemonProcess(self.root))

    def start_gateway(self) -> None:
        """Start a gateway."""
        self.gateway = self._stack.enter_context(GatewayProcess(self.root, self.cluster))

    def drop(self, name: str, settings: str = "") -> str:
        """Drop a picture, the same each time; return the name of its file."""
        if settings:
            (self.inbox / f"{name}.toml").write_text(settings)
        smooth_picture(20, 15).save(self.inbox / f".{name}", "PNG")
        (self.inbox / f".{name}").rename(self.inbox / f"{name}.png")
        self.dropped.append(name)
        return f"{name}.png"

    def drop_endless(self, name: str) -> dict[str, Any]:
        """Drop a picture, wait until it is in work, and let its next attempt end."""
        image = self.drop(name, ENDLESS)
        self.daemon.wait_for("job_progress", image=image, stage="fit")
        (self.inbox / f"{name}.toml").unlink()
        return self.daemon.wait_for("job_started", image=image)

    def close(self) -> None:
        """End both."""
        self._stack.close()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, cluster: RayCluster) -> Iterator[System]:
    """Start daemon, gateway and a second node."""
    cluster.start_node(6)
    system = System(tmp_path_factory.mktemp("system"), cluster)
    system.start_daemon()
    system.start_gateway()
    try:
        for node in (STAYING, MORTAL):
            system.daemon.wait_for("worker_ready", node=node)
        yield system
    finally:
        system.close()


def test_nodes_share_the_work(system: System) -> None:
    """Whichever computes a picture, its bytes are the same."""
    for number in range(6):
        system.drop(f"shared{number}")
    done = [system.daemon.wait_for("job_done", image=f"shared{n}.png") for n in range(6)]
    assert len({line["node"] for line in done}) > 1
    assert len({line["out_sha256"] for line in done}) == 1


def test_a_killed_worker_costs_an_attempt(system: System) -> None:
    """As one of the daemon's own does."""
    node = system.drop_endless("crashed")["node"]
    (pid,) = system.cluster.actors(node)
    system.cluster.kill(pid)
    system.daemon.wait_for("job_retry", image="crashed.png", reason="worker_crash")
    assert system.daemon.wait_for("job_done", image="crashed.png")["attempt"] == 2


def test_a_killed_gateway_costs_none(system: System) -> None:
    """Its workers end with it, and the next one finds the job."""
    system.drop_endless("unheard")
    system.gateway.kill()
    system.daemon.wait_for("worker_restarted", reason="cluster_lost")
    wait_until(lambda: not system.cluster.actors(STAYING), "the workers to end")
    system.start_gateway()
    assert system.daemon.wait_for("job_done", image="unheard.png")["attempt"] == 1


def test_a_killed_daemon_finds_its_jobs_again(system: System) -> None:
    """The gateway ends when it does: nobody writes a part that the next daemon makes anew."""
    system.drop_endless("orphaned")
    system.daemon.send(signal.SIGKILL)
    system.daemon.exit_code()
    assert system.gateway.exit_code() == 0
    system.start_daemon()
    system.start_gateway()
    system.daemon.wait_for("job_done", image="orphaned.png")


def test_a_killed_node_costs_none(system: System) -> None:
    """Another one does what was in work there."""
    for node in (STAYING, MORTAL):
        system.daemon.wait_for("worker_ready", node=node)
    names = iter(("one", "two", "three", "four"))  # other tests' nodes may take some of them
    elsewhere = {}
    while (started := system.drop_endless(name := next(names)))["node"] != MORTAL:
        elsewhere[name] = started["job_id"]
    if elsewhere:
        command(system.root, "cancel", *elsewhere.values())
    system.cluster.kill_node(MORTAL)
    system.daemon.wait_for("worker_restarted", reason="node_lost", node=MORTAL)
    done = system.daemon.wait_for("job_done", image=f"{name}.png")
    assert done["attempt"] == 1
    assert done["node"] != MORTAL
    for cancelled in elsewhere:
        system.dropped.remove(cancelled)


def test_a_stop_ends_the_workers_on_the_nodes(system: System) -> None:
    """By the ladder, with the jobs in work queued again; then all is accounted for."""
    system.drop_endless("stopped")
    (pid,) = system.cluster.actors(STAYING)
    system.daemon.send(signal.SIGTERM)
    assert system.daemon.exit_code() == 0
    wait_until(lambda: not is_alive(pid), "the worker to end")
    assert system.gateway.exit_code() == 0
    system.dropped.remove("stopped")
    assert files(system.root / "output") == sorted(f"{name}_x2.png" for name in system.dropped)
    assert files(system.root / "archive") == sorted(f"{name}.png" for name in system.dropped)
    assert files(system.inbox) == ["stopped.png"]
    with closing(Ledger.open(system.root / "state")) as ledger:
        states = {job.src_rel: job.state for job in ledger.find("")}
    done = {f"{name}.png" for name in system.dropped}
    assert {rel for rel, state in states.items() if state is JobState.DONE} == done
    assert states["stopped.png"] is JobState.QUEUED
