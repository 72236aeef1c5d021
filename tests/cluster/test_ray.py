"""The gateway and real nodes of Ray: files there and back, and what becomes of faults.

A double stands where the supervisor would, and speaks with the gateway as it does.
"""

import errno
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.daemon_process import is_alive, prepare, wait_until
from tests.parts.gateway_process import GatewayProcess, WireSupervisor, cluster_settings
from tests.parts.ray_cluster import ROOT, RayCluster
from tests.parts.small_disk import SmallDisk
from tests.parts.worker_parts import LONG, answer_of, order_for, ready_worker
from zssr_daemon.errors import Reason
from zssr_daemon.protocol.attempt_files import companion_part
from zssr_daemon.protocol.cluster_wire import Ended, Give, Kill, Withdraw
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.protocol.messages import (
    CANCEL,
    WorkCancelled,
    WorkDone,
    WorkFailed,
    WorkProgress,
)
from zssr_daemon.system.durable import sha256_of

pytestmark = pytest.mark.ray

#: A good node, and one that spoils what it hands over.
ONE, SPOILING = "127.0.0.3#0", "127.0.0.4#0"

#: Runs at the start of each Python of that node.
SPOILT = """
from zssr_daemon.cluster import scratch
read = scratch.Scratch.chunk
scratch.Scratch.chunk = lambda *args: read(*args)[::-1]
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, cluster: RayCluster) -> Path:
    """Return a folder with settings of the cluster."""
    root = tmp_path_factory.mktemp("gateway")
    (root / "state").mkdir()
    prepare(root, more=cluster_settings(cluster))
    return root


@pytest.fixture(scope="module")
def odd_nodes(tmp_path_factory: pytest.TempPathFactory, cluster: RayCluster) -> tuple[str, str]:
    """Start the node that spoils, and one with other code; return their names."""
    spoilt, other = (tmp_path_factory.mktemp(name) for name in ("spoilt", "other"))
    (spoilt / "sitecustomize.py").write_text(SPOILT)
    shutil.copytree(ROOT / "zssr_daemon", other / "zssr_daemon")
    with (other / "zssr_daemon/__init__.py").open("a") as stream:
        stream.write("# changed\n")
    first = cluster.start_node(4, python_path=f"{spoilt}:{ROOT}")
    return first, cluster.start_node(5, python_path=other)


@pytest.fixture(scope="module")
def supervisor(root: Path) -> Iterator[WireSupervisor]:
    """Return a supervisor's double."""
    supervisor = WireSupervisor(root / "state")
    yield supervisor
    supervisor.close()


@pytest.fixture(scope="module")
def gateway(
    root: Path, cluster: RayCluster, odd_nodes: tuple[str, str], supervisor: WireSupervisor
) -> Iterator[GatewayProcess]:
    """Return a gateway that is connected on both sides."""
    with GatewayProcess(root, cluster) as gateway:
        gateway.wait_for("gateway_started")
        supervisor.accept()
        yield gateway


@pytest.fixture
def worker(supervisor: WireSupervisor, gateway: GatewayProcess) -> int:
    """Return the number of the worker at ONE."""
    return supervisor.worker_at(ONE)


def test_bytes_are_those_of_a_local_worker(
    supervisor: WireSupervisor, worker: int, tmp_path: Path
) -> None:
    """Output and report lie where the order wants them, as private as the source."""
    order = order_for(tmp_path)
    order = replace(order, report_path=str(companion_part(Path(order.part), REPORT)))
    (tmp_path / order.src_rel).chmod(0o600)
    supervisor.give(ONE, worker, order)
    done = supervisor.told(WorkDone, ONE, worker)
    part = Path(order.part)
    assert sha256_of(part) == done.out_sha256
    assert part.stat().st_mode & 0o777 == 0o600
    assert companion_part(part, REPORT).read_text().startswith("<!DOCTYPE html>")
    local = ready_worker()
    answer = answer_of(local, order)
    local.kill()
    assert isinstance(answer, WorkDone)
    assert answer.out_sha256 == done.out_sha256


def test_a_source_that_was_replaced_is_refused(
    supervisor: WireSupervisor, worker: int, tmp_path: Path
) -> None:
    """The gateway sends the file of the order or none, in the words of a worker."""
    order = order_for(tmp_path)
    os.utime(tmp_path / order.src_rel, (1, 1))
    supervisor.give(ONE, worker, order)
    failed = supervisor.told(WorkFailed, ONE, worker)
    assert (failed.reason, failed.is_retryable) == (Reason.SOURCE_CHANGED, True)


def test_a_full_disk_here_is_told_with_its_number(
    supervisor: WireSupervisor, worker: int, tmp_path: Path
) -> None:
    """The daemon then waits for room, as if a local worker had found it; the worker goes on."""
    disk = SmallDisk(tmp_path / "output", 1 << 20)
    try:
        order = replace(order_for(tmp_path), part=str(disk.path / "part"))
        disk.fill()
        supervisor.give(ONE, worker, order)
        failed = supervisor.told(WorkFailed, ONE, worker)
        assert failed.oserror_errno == errno.ENOSPC
        disk.empty()
        supervisor.give(ONE, worker, order)
        done = supervisor.told(WorkDone, ONE, worker)
        assert sha256_of(Path(order.part)) == done.out_sha256
    finally:
        disk.destroy()


def test_a_cancelled_order_ends_and_the_worker_stays(
    supervisor: WireSupervisor, worker: int, tmp_path: Path
) -> None:
    """The first rung of the ladder reaches a node amid its work."""
    supervisor.give(ONE, worker, order_for(tmp_path, config=LONG))
    supervisor.told(WorkProgress, ONE, worker)
    supervisor.send(Give(slot=ONE, generation=worker, message=CANCEL))
    supervisor.told(WorkCancelled, ONE, worker)
    supervisor.give(ONE, worker, order_for(tmp_path))
    supervisor.told(WorkDone, ONE, worker)


def test_spoilt_bytes_are_refused(
    supervisor: WireSupervisor, gateway: GatewayProcess, tmp_path: Path
) -> None:
    """What comes out of a node is compared with what the worker there has verified."""
    worker = supervisor.worker_at(SPOILING)
    supervisor.give(SPOILING, worker, order_for(tmp_path))
    failed = supervisor.told(WorkFailed, SPOILING, worker)
    assert (failed.reason, failed.is_retryable) == (Reason.OUTPUT_INVALID, True)
    assert "spoilt on its way" in failed.message


def test_other_code_is_refused(
    gateway: GatewayProcess, supervisor: WireSupervisor, odd_nodes: tuple[str, str]
) -> None:
    """Such a node gets no work, and both sides are named."""
    refused = gateway.wait_for("node_refused", node=odd_nodes[1])
    assert "code " in refused["message"]
    assert "install the same release" in refused["message"]
    withdrawn = supervisor.wait_for(Withdraw, slot=f"{odd_nodes[1]}#0", reason="refused")
    assert withdrawn.message == refused["message"]


def test_a_killed_worker_is_told_and_replaced(
    supervisor: WireSupervisor, gateway: GatewayProcess, cluster: RayCluster, tmp_path: Path
) -> None:
    """Ray starts it no second time: that is the supervisor's to ask for."""
    worker = supervisor.worker_at(SPOILING)
    supervisor.give(SPOILING, worker, order_for(tmp_path, config=LONG))
    supervisor.told(WorkProgress, SPOILING, worker)
    (pid,) = cluster.actors("127.0.0.4")
    os.kill(pid, signal.SIGKILL)
    assert supervisor.wait_for(Ended, slot=SPOILING, generation=worker).how == "crash"
    assert supervisor.worker_at(SPOILING) > worker


def test_a_kill_ends_the_process_on_the_node(
    supervisor: WireSupervisor, gateway: GatewayProcess, cluster: RayCluster, tmp_path: Path
) -> None:
    """The last rung of the ladder; a kill of an older generation harms nobody."""
    worker = supervisor.worker_at(SPOILING)
    (pid,) = cluster.actors("127.0.0.4")
    supervisor.send(Kill(slot=SPOILING, generation=worker - 1))
    supervisor.give(SPOILING, worker, order_for(tmp_path, config=LONG))
    supervisor.told(WorkProgress, SPOILING, worker)
    supervisor.kill(SPOILING)
    wait_until(lambda: not is_alive(pid), "the worker to end")


def test_workers_follow_each_other_at_one_place(supervisor: WireSupervisor) -> None:
    """The next start may come while a process is being ended; that one must leave its place."""
    workers = []
    for _ in range(6):
        workers.append(supervisor.worker_at(SPOILING))
        supervisor.kill(SPOILING)
    assert workers == sorted(set(workers))


def test_a_node_that_dies_is_withdrawn(
    supervisor: WireSupervisor, gateway: GatewayProcess, cluster: RayCluster, tmp_path: Path
) -> None:
    """No attempt is at fault: the supervisor is told that the place is gone."""
    worker = supervisor.worker_at(SPOILING)
    supervisor.give(SPOILING, worker, order_for(tmp_path, config=LONG))
    supervisor.told(WorkProgress, SPOILING, worker)
    cluster.kill_node("127.0.0.4")
    assert supervisor.wait_for(Withdraw, slot=SPOILING).reason == "node_lost"
    gateway.wait_for("node_lost", node="127.0.0.4")


def test_workers_end_with_the_supervisor(
    supervisor: WireSupervisor, gateway: GatewayProcess, cluster: RayCluster
) -> None:
    """The gateway ends when nobody is there to take results; the next one begins afresh."""
    supervisor.worker_at(ONE)
    assert cluster.actors("127.0.0.3")
    supervisor.close()
    assert gateway.exit_code() == 0
    wait_until(lambda: not cluster.actors("127.0.0.3"), "the workers to end")
    assert gateway.log()[-1]["event"] == "gateway_stopped"
