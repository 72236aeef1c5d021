"""GatewayDouble: a gateway without a cluster; its workers are real processes on this machine."""

import select
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.parts.gateway_wire import HELLO, OFFER, GatewayWire
from zssr_daemon.executor.local_worker import LocalWorker
from zssr_daemon.executor.placement import Placement
from zssr_daemon.executor.remote import ClusterExecutor
from zssr_daemon.executor.slots import SlotLimits
from zssr_daemon.protocol.cluster_wire import Ended, Frame, Give, Kill, Offer, Start, Told
from zssr_daemon.telemetry.logs import LogSettings


class GatewayDouble:
    """Speaks the real socket from a thread; a worker process does what an actor would."""

    def __init__(self, state_folder: Path, *offers: Offer) -> None:
        """Dial in and offer the slots, one where none is named."""
        self._offers = {offer.slot: offer for offer in offers or (OFFER,)}
        self.workers: dict[str, LocalWorker] = {}
        self._generations: dict[str, int] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(state_folder,))
        self._thread.start()

    def leave(self) -> None:
        """Hang up; the workers end with it."""
        self._is_over.set()
        self._thread.join()

    def _run(self, state_folder: Path) -> None:
        with (
            suppress(OSError, EOFError),
            GatewayWire(state_folder, self._is_over.is_set) as wire,
        ):
            wire.say(HELLO, *self._offers.values())
            while not self._is_over.is_set():
                self._step(wire)
        for slot in list(self.workers):
            self.workers.pop(slot).kill()

    def _step(self, wire: GatewayWire) -> None:
        pipes: list[Any] = [worker.connection for worker in self.workers.values()]
        readable, _, _ = select.select([wire.connection, *pipes], [], [], 0.02)
        if wire.connection in readable:
            for frame in wire.heard():
                self._obey(frame)
        for slot in list(self.workers):
            self._report(wire, slot)

    def _obey(self, frame: Frame) -> None:
        if isinstance(frame, Start):
            worker = LocalWorker(
                Placement(self._offers[frame.slot].device, 1), LogSettings(level="error")
            )
            self.workers[frame.slot] = worker
            self._generations[frame.slot] = frame.generation
        elif isinstance(frame, Give | Kill) and self._generations[frame.slot] == frame.generation:
            if isinstance(frame, Kill):
                self.workers.pop(frame.slot).kill()
            elif frame.slot in self.workers:
                self.workers[frame.slot].send(frame.message)

    def _report(self, wire: GatewayWire, slot: str) -> None:
        worker, generation = self.workers[slot], self._generations[slot]
        was_alive = worker.is_alive
        for message in worker.received():
            wire.say(Told(slot=slot, generation=generation, message=message))
        if not was_alive:
            self.workers.pop(slot).kill()
            how = f"exit code {worker.exit_code}"
            wire.say(Ended(slot=slot, generation=generation, how="crash", message=how))


class DoubledCluster(ClusterExecutor):
    """A cluster executor with a gateway double of one slot."""

    def __init__(self, state_folder: Path, limits: SlotLimits, device: str) -> None:
        super().__init__(state_folder, limits, max_slots=1)
        offer = Offer(slot=OFFER.slot, node=OFFER.node, device=device)
        self.poll()  # it listens from now on
        self.gateway = GatewayDouble(state_folder, offer)

    def end(self) -> None:
        """End all, and wait for the gateway's end."""
        super().end()
        self.gateway.leave()
