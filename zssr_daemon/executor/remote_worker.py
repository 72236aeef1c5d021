"""RemoteWorker: a worker process on another machine, of which the gateway tells."""

from typing import Any, Literal

from zssr_daemon.executor.gateway_door import GatewayDoor
from zssr_daemon.executor.interface import WorkerEnd
from zssr_daemon.protocol.cluster_wire import Give, Kill, Offer, Start
from zssr_daemon.protocol.messages import WorkerLoaded, WorkMessage, WorkOrder

#: Ends that say nothing of the worker itself.
_OF_THE_MACHINE = (WorkerEnd.NODE_LOST, WorkerEnd.CLUSTER_LOST, WorkerEnd.NODE_REFUSED)


class RemoteWorker:
    """A `Child` at the other end of the gateway, one generation of its slot.

    After its end nothing of it is sent, and nothing that still comes of it is heard.
    """

    resident_bytes = 0  # nobody here knows it; the cluster guards the memory of its machines

    def __init__(self, offer: Offer, generation: int, door: GatewayDoor) -> None:
        """Have it started."""
        self._slot, self._node = offer.slot, offer.node
        self.generation = generation
        self._door = door
        self._told: list[WorkMessage | WorkerLoaded] = []
        self._end: tuple[WorkerEnd, str] | None = None
        door.send(Start(slot=self._slot, generation=generation))

    @property
    def connection(self) -> Any:
        """The gateway's connection, which all remote workers share."""
        return self._door.connection

    @property
    def is_alive(self) -> bool:
        """Whether nobody has told of its end."""
        return self._end is None

    def send(self, message: WorkOrder | Literal["cancel"]) -> None:
        """Have a message handed to it."""
        if self.is_alive:
            self._door.send(Give(slot=self._slot, generation=self.generation, message=message))

    def received(self) -> list[WorkMessage | WorkerLoaded]:
        """Return what it has said since the last call."""
        told, self._told = self._told, []
        return told

    def how_it_died(self, *, is_loaded: bool) -> tuple[WorkerEnd, str]:
        """Return reason and message for its end."""
        assert self._end is not None
        reason, message = self._end
        if is_loaded or reason in _OF_THE_MACHINE:
            return reason, message
        return WorkerEnd.NO_START, f"no worker starts on {self._node} ({message}); tried again"

    def terminate(self) -> None:
        """End it: there is no gentler way from afar."""
        self.kill()

    def kill(self) -> None:
        """Have it killed, unless it has ended already."""
        if self.is_alive:
            self._door.send(Kill(slot=self._slot, generation=self.generation))
            self.ended(WorkerEnd.CRASH, "killed on order")

    # -- what the gateway says of it -----------------------------------------------------------

    def told(self, message: WorkMessage | WorkerLoaded) -> None:
        """Note what it says."""
        if self.is_alive:
            self._told.append(message)

    def ended(self, reason: WorkerEnd, message: str) -> None:
        """Note how it ended; only the first end counts."""
        if self.is_alive:
            self._end = reason, message
