"""ClusterExecutor: the executor whose workers are on other machines, behind a gateway.

The gateway offers slots and withdraws them. A slot's worker is a generation, whose number is never
used twice: what is told of another generation, as by a machine that was thought dead, reaches
nobody.
"""

import itertools
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from zssr_daemon.executor.gateway_door import GatewayDoor, GatewayGone
from zssr_daemon.executor.interface import ExecutorEvent, Place, WorkerEnd
from zssr_daemon.executor.remote_worker import RemoteWorker
from zssr_daemon.executor.slots import SlotExecutor, SlotLimits
from zssr_daemon.executor.worker_slot import WorkerSlot
from zssr_daemon.protocol.cluster_wire import Ended, GatewayFrame, Offer, Told, Withdraw
from zssr_daemon.protocol.messages import WorkDone, WorkOrder

#: A job may be what brings machines down: from this loss of one on it is blamed.
BLAMED_LOSS = 5

#: After the start a cluster has so long to offer a slot before its absence is an obstacle.
_FIRST_OFFER_S = 30.0

_WITHDRAWN = {
    "node_lost": WorkerEnd.NODE_LOST,
    "cluster_lost": WorkerEnd.CLUSTER_LOST,
    "refused": WorkerEnd.NODE_REFUSED,
}


class ClusterExecutor(SlotExecutor):
    """Workers on the nodes of a cluster; they come and go, and the daemon goes on without them."""

    def __init__(self, state_folder: Path, limits: SlotLimits, *, max_slots: int) -> None:
        """Listen for a gateway; of the slots that it offers, `max_slots` are used."""
        super().__init__(limits)
        self._door = GatewayDoor(state_folder)
        self._max_slots = max_slots
        self._generations = itertools.count(1)
        self._offered: dict[str, WorkerSlot] = {}  # by the gateway's name of the slot
        self._present: dict[str, RemoteWorker] = {}  # the last generation of each of these
        self._losses: Counter[str] = Counter()  # of machines, by the job that was in work there
        self._began_s = time.monotonic()

    def has_room(self) -> bool:
        """Tell whether some worker is ready and idle, and the gateway takes an order now."""
        return self._door.has_room and super().has_room()

    def is_lost(self) -> bool:
        """Tell whether there is no slot, or no worker of one has become ready."""
        if self._slots:
            return super().is_lost()
        return time.monotonic() - self._began_s > _FIRST_OFFER_S

    def submit(self, order: WorkOrder) -> Place | None:
        """Hand the order to a free worker; return where that is."""
        return super().submit(order) if self._door.has_room else None

    def poll(self) -> list[ExecutorEvent]:
        """Hear the gateway; then as every executor."""
        self._hear_gateway()
        events = super().poll()
        for event in events:
            if isinstance(event, WorkDone):
                self._losses.pop(event.job_id, None)
        return events

    def connections(self) -> list[Any]:
        """Return what to wait on for gateway and callers."""
        return self._door.connections()

    def unsent(self) -> list[Any]:
        """Return what to wait on until the gateway takes more."""
        return self._door.unsent()

    def hear(self) -> None:
        """Note what the workers have said, and tell nobody."""
        self._hear_gateway()
        super().hear()

    def end(self) -> None:
        """Kill every worker, and hang up: then the gateway ends what may be left."""
        super().end()
        self._door.close()

    # -- what the gateway says ----------------------------------------------------------------

    def _hear_gateway(self) -> None:
        for frame in self._door.poll():
            self._take(frame)

    def _take(self, frame: GatewayFrame | GatewayGone) -> None:
        match frame:
            case Offer():
                self._add(frame)
            case Withdraw():
                self._withdraw(frame.slot, _WITHDRAWN[frame.reason], frame.message)
            case Told():
                if worker := self._worker(frame):
                    worker.told(frame.message)
            case Ended():
                if worker := self._worker(frame):
                    worker.ended(WorkerEnd(frame.how), frame.message)
            case GatewayGone():
                for name in list(self._offered):
                    self._withdraw(name, WorkerEnd.CLUSTER_LOST, frame.message)

    def _add(self, offer: Offer) -> None:
        if offer.slot not in self._offered and len(self._offered) < self._max_slots:
            place = Place(offer.device, offer.node)
            slot = WorkerSlot(place, partial(self._spawn, offer))
            self._offered[offer.slot] = slot
            self._slots.append(slot)

    def _spawn(self, offer: Offer) -> RemoteWorker:
        worker = RemoteWorker(offer, next(self._generations), self._door)
        self._present[offer.slot] = worker
        return worker

    def _withdraw(self, name: str, reason: WorkerEnd, message: str) -> None:
        """Take a slot away: the next poll tells its end, after what its worker said before."""
        if name in self._offered:
            self._present.pop(name).ended(reason, message)
            self._offered.pop(name).withdrawn = reason, message

    def _worker(self, frame: Told | Ended) -> RemoteWorker | None:
        worker = self._present.get(frame.slot)
        return worker if worker is not None and worker.generation == frame.generation else None

    def _is_blamed(self, reason: WorkerEnd, job_id: str) -> bool:
        """Spare a job what its machine is to blame for, until it seems to be the job after all.

        A worker that falls silent may hang, or its machine may be frozen: none can tell from afar.
        """
        if reason in (WorkerEnd.CLUSTER_LOST, WorkerEnd.NODE_REFUSED):
            return False
        if reason not in (WorkerEnd.NODE_LOST, WorkerEnd.SILENT):
            return True
        self._losses[job_id] += 1
        return self._losses[job_id] >= BLAMED_LOSS
