"""A supervisor whose cluster loses everything at any moment: every image ends once."""

import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import context_of, drop, files_in
from tests.parts.fake_executor import good
from tests.parts.gateway_wire import HELLO, GatewayWire
from tests.parts.stepped_daemon import lines_of
from tests.parts.tiny_settings import SettingsFactory
from tests.parts.worker_parts import limits_of, sign_of_life
from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.daemon.supervisor import Supervisor
from zssr_daemon.executor import remote
from zssr_daemon.executor.joint import JointExecutor
from zssr_daemon.executor.remote import ClusterExecutor
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.cluster_wire import Ended, Give, Offer, RemoteEnd, Start, Told, Withdraw
from zssr_daemon.protocol.messages import WorkerLoaded, WorkerReady, WorkOrder

IMAGES = 20
SLOTS = 3


class RandomGateway(threading.Thread):
    """Serves the orders by writing their parts, and loses workers, nodes and itself by chance."""

    def __init__(self, state_folder: Path, seed: int) -> None:
        super().__init__()
        self._folder = state_folder
        self._random = random.Random(seed)
        self._offers = {
            str(number): Offer(slot=str(number), node=f"node{number}", device="cpu")
            for number in range(SLOTS)
        }
        self._past: list[Told] = []  # what dead workers would have said, had they lived
        self.crashes = 0
        self.losses = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        """Dial in again and again, until the test is over."""
        while not self.is_over.is_set():
            with (
                suppress(OSError, EOFError),
                GatewayWire(self._folder, self.is_over.is_set) as wire,
            ):
                wire.connection.settimeout(0.2)
                wire.say(HELLO, *self._offers.values())
                self._serve(wire)

    def _serve(self, wire: GatewayWire) -> None:
        while not self.is_over.is_set():
            with suppress(TimeoutError):
                for frame in wire.heard():
                    if isinstance(frame, Start):
                        ready = WorkerReady(device="cpu", torch_version="2")
                        wire.say(_told(frame, WorkerLoaded()), _told(frame, ready))
                    elif isinstance(frame, Give) and isinstance(frame.message, WorkOrder):
                        self._work(wire, frame, frame.message)

    def _work(self, wire: GatewayWire, give: Give, order: WorkOrder) -> None:
        """Do what is ordered, or what happens in its stead; the dead speak now and then."""
        ends = [_told(give, event) for event in good(order)]
        if self._past and self._random.random() < 0.5:
            wire.say(self._random.choice(self._past))
        if self._random.random() < 0.8:
            wire.say(_told(give, sign_of_life(order, patience_s=0.0)))
        match self._random.choice(["done"] * 6 + ["crash", "node", "node", "slot", "gateway"]):
            case "done":
                wire.say(*ends)
                return
            case "crash":
                self.crashes += 1
                self._end(wire, give, "crash")
            case "node":
                self._end(wire, give, "node_lost")
            case "slot":
                gone = Withdraw(slot=give.slot, reason="node_lost", message="unplugged")
                wire.say(gone, self._offers[give.slot])
            case "gateway":
                self._past += ends
                raise EOFError
        self.losses += 1
        self._past += ends

    def _end(self, wire: GatewayWire, give: Give, how: RemoteEnd) -> None:
        wire.say(Ended(slot=give.slot, generation=give.generation, how=how, message=how))


def _told(frame: Start | Give, message: Any) -> Told:
    return Told(slot=frame.slot, generation=frame.generation, message=message)


@pytest.fixture(params=[1, 2])
def gateway(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RandomGateway]:
    """Make a gateway, which comes when it is started."""
    gateway = RandomGateway(tmp_path / "state", request.param)
    yield gateway
    gateway.is_over.set()
    gateway.join()


def test_every_image_ends_once(
    make_settings: SettingsFactory,
    ledger: Ledger,
    log: list[Any],
    gateway: RandomGateway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is lost, and whatever the dead still say; only crashes cost attempts."""
    monkeypatch.setattr(remote, "BLAMED_LOSS", 1000)
    settings = make_settings(limits={"max_attempts": 100, "retry_after_s": 0.0})
    folders = settings.folders
    for number in range(IMAGES):
        drop(folders.inbox, f"{number}.png")
    executor = JointExecutor([ClusterExecutor(folders.state, limits_of(), max_slots=SLOTS)])
    signals, control = Signals(), ControlSocket(folders.state)
    supervisor = Supervisor(settings, ledger, executor, context_of(settings, signals, control))
    gateway.start()
    assert supervisor.run(is_once=True)
    gateway.is_over.set()
    control.close()
    signals.close()
    images = sorted(f"{number}.png" for number in range(IMAGES))
    assert sorted(line["image"] for line in lines_of(log, "job_done")) == images
    assert files_in(folders.archive) == images
    assert files_in(folders.output) == sorted(f"{number}_x2.png" for number in range(IMAGES))
    assert files_in(folders.inbox) == files_in(folders.failed) == []
    for number in range(IMAGES):
        source = (folders.archive / f"{number}.png").read_bytes()
        assert (folders.output / f"{number}_x2.png").read_bytes() == b"enlarged " + source
    spent = sum(job.attempts - 1 for job in ledger.newest(limit=IMAGES))
    assert spent <= gateway.crashes < gateway.losses
    assert len(lines_of(log, "job_started")) > IMAGES
