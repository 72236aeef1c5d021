"""Nodes: the machines of the cluster that take part, as they come and go."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from zssr_daemon.cluster.node_facts import Facts, cure_of, differences, facts_of_this_machine
from zssr_daemon.settings.cluster_table import Cluster
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events

#: The resource by which a node says that it was set up for this program, and for how many workers.
RESOURCE = "zssr"

_LOOK_EVERY_S = 1.0

#: A node that was out of reach, or whose disk failed, is not used for so long.
_AWAY_S = 30.0

#: Loading torch from a cold disk takes a while.
_FACTS_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A living machine of the cluster."""

    id: str  # another one each time that Ray is started there
    name: str  # its address, for people
    places: int  # for workers, by its own account
    cpus: float
    cards: float

    @property
    def device(self) -> str:
        """What its workers compute on."""
        return "auto:0" if self.cards else "cpu"

    def strategy(self) -> NodeAffinitySchedulingStrategy:
        """Return what makes Ray run something on this node or nowhere."""
        return NodeAffinitySchedulingStrategy(self.id, soft=False)


def living_nodes() -> list[Node]:
    """Ask Ray for the machines that were set up for this program; it may take long to answer."""
    told = ray.nodes()  # type: ignore[no-untyped-call]
    return [_node(each) for each in told if each["Alive"] and RESOURCE in each["Resources"]]


def _node(told: dict[str, Any]) -> Node:
    resources = told["Resources"]
    return Node(
        id=told["NodeID"],
        name=told["NodeManagerAddress"],
        places=int(resources[RESOURCE]),
        cpus=resources.get("CPU", 0.0),
        cards=resources.get("GPU", 0.0),
    )


async def facts_of(node: Node) -> Facts:
    """Ask a node for its facts.

    Raises:
        RayError: the node is out of reach, or has no such program. TimeoutError: it is silent.
    """
    ask = ray.remote(num_cpus=0, max_retries=0)(facts_of_this_machine)
    answer = ask.options(scheduling_strategy=node.strategy()).remote()

    async def told() -> Facts:
        return dict(await answer)

    return await asyncio.wait_for(told(), _FACTS_S)


async def why_refused(node: Node, cluster: Cluster, threads: int, ours: Facts) -> str | None:
    """Say why a node cannot work with this machine, and how to mend it; None if it can.

    Raises:
        RayError, TimeoutError: it is out of reach now.
    """
    if node.cpus < threads:
        return f"Ray has {node.cpus:g} CPUs there, and a worker takes {threads}"
    try:
        theirs = await facts_of(node)
    except RayTaskError as error:
        return f"zssr_daemon does not work there: {str(error).strip().splitlines()[-1]}"
    found = differences(ours, theirs, allow_mixed=cluster.allow_mixed)
    return f"{'; '.join(found)}: {cure_of(ours, theirs)}" if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNews:
    """Whom a watch tells what becomes of nodes; with a message where it is bad."""

    joined: Callable[[Node], None]
    lost: Callable[[Node, str], None]
    refused: Callable[[Node, str], None]


class NodeWatch:
    """Looks for nodes, examines the new ones, and tells which can be used from now on."""

    def __init__(self, cluster: Cluster, threads: int, ours: Facts, news: NodeNews) -> None:
        self._cluster = cluster
        self._threads = threads
        self._ours = ours
        self._news = news
        self._known: dict[str, Node] = {}
        self._joined: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            alive = {node.id: node for node in await asyncio.to_thread(living_nodes)}
            for node in [each for each in self._known.values() if each.id not in alive]:
                del self._known[node.id]
                self._leave(node, "Ray says that it is dead")
            for node in [each for each in alive.values() if each.id not in self._known]:
                self._known[node.id] = node
                self._examine(node, after_s=0.0)
            await asyncio.sleep(_LOOK_EVERY_S)

    def is_alive(self, node: Node) -> bool:
        """Tell whether the node was alive at the last look."""
        return node.id in self._known

    def suspect(self, node: Node, message: str) -> None:
        """Use a node no more for a while, because of what befell a worker there."""
        if node.id in self._joined:
            self._leave(node, message)
            self._examine(node, after_s=_AWAY_S)

    def _leave(self, node: Node, message: str) -> None:
        if node.id in self._joined:
            self._joined.remove(node.id)
            logs.get_logger().warning(Events.NODE_LOST, node=node.name, message=message)
            self._news.lost(node, message)

    def _examine(self, node: Node, *, after_s: float) -> None:
        task = asyncio.create_task(self._join(node, after_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, node: Node, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if not self.is_alive(node):
            return
        try:
            why = await why_refused(node, self._cluster, self._threads, self._ours)
        except (RayError, TimeoutError) as error:
            self._refuse(node, str(error) or "it does not answer")
            self._examine(node, after_s=_AWAY_S)
            return
        if why is not None:
            self._refuse(node, why)
        elif self.is_alive(node):
            self._joined.add(node.id)
            self._news.joined(node)

    def _refuse(self, node: Node, message: str) -> None:
        logs.get_logger().error(Events.NODE_REFUSED, node=node.name, message=message)
        self._news.refused(node, message)
