"""Gateway: stands between the supervisor, which knows no Ray, and the nodes of a cluster.

It holds no job that the ledger does not hold: whatever ends it, its workers end with it, and the
supervisor gives their jobs to others.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from zssr_daemon import __version__
from zssr_daemon.cluster.node_facts import Facts
from zssr_daemon.cluster.nodes import Node, NodeNews, NodeWatch
from zssr_daemon.cluster.remote_life import Place, RemoteLife
from zssr_daemon.cluster.supervisor_link import SupervisorLink
from zssr_daemon.executor.placement import placements
from zssr_daemon.protocol.cluster_wire import (
    Ended,
    Frame,
    GatewayFrame,
    Give,
    Hello,
    Kill,
    Offer,
    RemoteEnd,
    Start,
    Told,
    WireError,
    Withdraw,
)
from zssr_daemon.protocol.code_hash import code_sha256
from zssr_daemon.protocol.messages import WorkerLoaded, WorkMessage
from zssr_daemon.settings.cluster_table import Cluster
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events


class Gateway:
    """Offers the places of all nodes to the supervisor, and does what it asks for."""

    def __init__(
        self, settings: Settings, cluster: Cluster, link: SupervisorLink, facts: Facts
    ) -> None:
        self._cluster = cluster
        self._level = settings.logging.level
        self._threads = threads_of(settings)
        self._link = link
        self._slots: dict[str, Slot] = {}
        news = NodeNews(joined=self._join, lost=self._withdraw, refused=self._refuse)
        self._watch = NodeWatch(cluster, self._threads, facts, news)

    async def serve(self) -> str:
        """Serve until the supervisor hangs up, and say how it ended."""
        self._link.send(Hello(version=__version__, code_sha256=code_sha256()))
        tasks = [asyncio.create_task(each) for each in (self._obey_all(), self._watch.watch())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            await done.pop()
        except WireError as error:
            return f"the daemon does not speak our language: {error}"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*(slot.end() for slot in self._slots.values()))
            await self._link.close()
        return "the daemon hung up"

    async def _obey_all(self) -> None:
        async for frame in self._link.frames():
            self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        """Do what the supervisor asks; what is meant for a place that is gone, is dropped."""
        match frame:
            case Start(slot=name) if slot := self._slots.get(name):
                slot.start(frame.generation)
            case Give(slot=name) if slot := self._slots.get(name):
                slot.give(frame)
            case Kill(slot=name) if slot := self._slots.get(name):
                slot.kill(frame.generation)

    def _join(self, node: Node) -> None:
        """Offer the places of a node."""
        for former in {slot.place.node for slot in self._slots.values()}:
            if former.name == node.name:
                self._withdraw(former, "Ray was started again there")
        room = self._cluster.max_slots - len(self._slots)
        count = max(0, min(places_of(node, self._cluster, self._threads), room))
        log = logs.get_logger()
        log.info(Events.NODE_JOINED, node=node.name, slots=count, cards=node.cards)
        for index in range(count):
            place = Place(
                slot=f"{node.name}#{index}",
                node=node,
                device=node.device,
                threads=self._threads,
                cards=min(1.0, node.cards / count),
                level=self._level,
            )
            self._slots[place.slot] = Slot(
                place, self._link.send, self._watch.suspect, self._watch.is_alive
            )
            self._link.send(Offer(slot=place.slot, node=node.name, device=place.device))

    def _withdraw(self, node: Node, message: str) -> None:
        """Take the places of a node back."""
        for name, slot in list(self._slots.items()):
            if slot.place.node.id == node.id:
                del self._slots[name]
                slot.abandon()
                self._link.send(Withdraw(slot=name, reason="node_lost", message=message))

    def _refuse(self, node: Node, message: str) -> None:
        """Tell the supervisor of a place that it cannot have, and why: its log is what is read."""
        name = f"{node.name}#0"
        self._link.send(Offer(slot=name, node=node.name, device="cpu"))
        self._link.send(Withdraw(slot=name, reason="refused", message=message))


def threads_of(settings: Settings) -> int:
    """Return how many threads a remote worker gets: as many as a local one, for the same bytes."""
    return placements(settings.worker)[0].threads


def places_of(node: Node, cluster: Cluster, threads: int) -> int:
    """Return how many workers a node gets: what it offers, as far as settings and CPUs allow."""
    places = min(node.places, int(node.cpus // threads))
    return places if cluster.slots_per_node == "auto" else min(places, cluster.slots_per_node)


class Slot:
    """One place on a node, and the worker that runs there now."""

    def __init__(
        self,
        place: Place,
        send: Callable[[GatewayFrame], None],
        on_fault: Callable[[Node, str], None],
        is_alive: Callable[[Node], bool],
    ) -> None:
        self.place = place
        self._send = send
        self._on_fault = on_fault
        self._is_alive = is_alive
        self._generation = -1
        self._life: RemoteLife | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, generation: int) -> None:
        """Start a worker; one that runs here is of an older generation, and ends."""
        if generation <= self._generation:
            return
        self.abandon()
        self._generation = generation
        self._life = RemoteLife(self.place, self._teller(generation))
        self._task = asyncio.create_task(self._live(self._life, generation))

    def give(self, frame: Give) -> None:
        """Hand a message to the worker that it is meant for."""
        if frame.generation == self._generation and self._life is not None:
            self._life.give(frame.message)

    def kill(self, generation: int) -> None:
        """End a worker's process."""
        if generation == self._generation:
            self.abandon()

    def abandon(self) -> None:
        """End whatever runs here, and say nothing more of it."""
        self._life = None
        if self._task is not None:
            self._task.cancel()

    async def end(self) -> None:
        """End whatever runs here, and wait for that."""
        self.abandon()
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task

    def _teller(self, generation: int) -> Callable[[WorkMessage | WorkerLoaded], None]:
        def tell(message: WorkMessage | WorkerLoaded) -> None:
            if generation == self._generation and self._life is not None:
                name = self.place.slot
                self._send(Told(slot=name, generation=generation, message=message))

        return tell

    async def _live(self, life: RemoteLife, generation: int) -> None:
        node = self.place.node
        how: RemoteEnd
        try:
            how, message = await life.live(lambda: self._is_alive(node))
        except Exception as error:  # noqa: BLE001 (the boundary of a worker: others go on)
            logs.get_logger().exception(Events.INTERNAL_ERROR)
            how, message = "crash", repr(error)
        if how == "node_lost":
            self._on_fault(node, message)
        else:
            ended = Ended(slot=self.place.slot, generation=generation, how=how, message=message)
            self._send(ended)
