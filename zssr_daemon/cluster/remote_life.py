"""RemoteLife: one worker on a node, from the start of its actor to the end of its process."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, NoReturn

import ray
from ray.exceptions import (
    ActorDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
)

from zssr_daemon.cluster.actor import CONTROL_GROUP, RemoteWorker
from zssr_daemon.cluster.nodes import RESOURCE, Node
from zssr_daemon.cluster.order_files import Results, ResultSink, read_source
from zssr_daemon.cluster.scratch import CHUNK_BYTES, ResultFile
from zssr_daemon.errors import JobError
from zssr_daemon.protocol.cluster_wire import RemoteEnd
from zssr_daemon.protocol.messages import (
    WorkDone,
    WorkerLoaded,
    WorkFailed,
    WorkMessage,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.system.disk_faults import is_disk_fault

#: Ray's own watch over a node's memory writes this when it ends a process; of any other crash it
#: says that memory may be the cause.
_OUT_OF_MEMORY = "the node running low on memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a worker runs, and what it gets."""

    slot: str
    node: Node
    device: str
    threads: int
    cards: float  # of the node's; a part of one, if several workers share it
    level: str  # of the node's log
    is_guest: bool = False  # whether it runs beside the workers that the node has room for

    def start(self) -> Any:
        """Start an actor; Ray never starts it again, nor repeats what it was asked."""
        options = _actor().options(
            num_cpus=0 if self.is_guest else self.threads,
            num_gpus=self.cards,
            resources={} if self.is_guest else {RESOURCE: 1},
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=self.node.strategy(),
        )
        return options.remote(self.device, self.threads, self.level)


@cache
def _actor() -> Any:
    """Return the class of actors, made once: Ray keeps each that it is shown."""
    return ray.remote(concurrency_groups=CONTROL_GROUP)(RemoteWorker)  # type: ignore[call-overload]


class NodeFaultError(Exception):
    """The node is at fault, and not the image: nobody should work there now."""


class RemoteLife:
    """Hands orders and files to one actor, and tells what its worker says."""

    def __init__(self, place: Place, tell: Callable[[WorkMessage | WorkerLoaded], None]) -> None:
        self._place = place
        self._tell = tell
        self._actor: Any = None  # until `live` begins
        self._outbox: asyncio.Queue[WorkOrder | Literal["cancel"]] = asyncio.Queue()
        self._order: WorkOrder | None = None
        self._source_mode = 0
        self._progress: WorkProgress | None = None  # the last

    def give(self, message: WorkOrder | Literal["cancel"]) -> None:
        """Hand a message to the worker, after those before it."""
        self._outbox.put_nowait(message)

    async def live(self, is_node_alive: Callable[[], bool]) -> tuple[RemoteEnd, str]:
        """Serve until the worker's process is gone, and say how that came.

        When this is cancelled, the process is killed.
        """
        self._actor = self._place.start()
        run = self._actor.run.remote()
        tasks = [
            asyncio.create_task(each) for each in (_wait(run), self._hear(), self._hand_over())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # First, and without waiting: a second cancel would end the wait below, and a process
            # that lives on keeps the place that its successor needs.
            with suppress(RayError):
                ray.kill(self._actor)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return _how(done.pop().exception(), is_node_alive)

    async def _hear(self) -> NoReturn:
        while True:
            for message in await self._actor.news.remote():
                await self._pass_on(message)

    async def _pass_on(self, message: WorkMessage | WorkerLoaded) -> None:
        match message:
            case WorkProgress():
                self._progress = message
            case WorkDone():
                message = await self._collected(message)
            case WorkFailed(oserror_errno=number) if is_disk_fault(number):
                raise NodeFaultError(f"{self._place.node.name}: {message.message}")
            case WorkFailed():  # the number is of the node's disk, and says nothing of ours
                message = replace(message, oserror_errno=None)
        self._tell(message)

    async def _hand_over(self) -> NoReturn:
        while True:
            message = await self._outbox.get()
            if isinstance(message, WorkOrder):
                await self._begin(message)
            else:
                await self._actor.cancel.remote()

    async def _begin(self, order: WorkOrder) -> None:
        self._order, self._progress = order, None
        try:
            source = read_source(order)
        except (JobError, OSError) as error:
            self._tell(WorkFailed.of(order.job_id, error))
            return
        self._source_mode = source.mode
        await self._on_node(self._actor.work.remote(order, source))

    async def _collected(self, done: WorkDone) -> WorkMessage:
        """Fetch the results of a worker that is done; return what the supervisor should hear."""
        assert self._order is not None
        results = Results(self._order, done, self._source_mode)
        offered = await self._on_node(self._actor.files.remote())
        try:
            for file in results.accepted(offered):
                with results.sink(file) as sink:
                    await self._fetch(file, sink)
        except (JobError, OSError) as error:
            return WorkFailed.of(self._order.job_id, error)
        await self._on_node(self._actor.clear.remote())
        return done

    async def _fetch(self, file: ResultFile, sink: ResultSink) -> None:
        for offset in range(0, file.size_bytes, CHUNK_BYTES):
            # Written at once, not in a thread: whoever ends this life must find no late writer.
            sink.write(await self._on_node(self._actor.chunk.remote(file.name, offset)))
            if self._progress is not None:
                self._tell(self._progress)  # a sign of life
        sink.check()

    async def _on_node(self, answer: Awaitable[Any]) -> Any:
        """Wait for what the actor does on its own disk, whose faults are not those of ours."""
        try:
            return await answer
        except RayTaskError as error:
            last = str(error).strip().splitlines()[-1]
            raise NodeFaultError(f"{self._place.node.name}: {last}") from error


async def _wait(answer: Awaitable[None]) -> None:
    await answer


def _how(error: BaseException | None, is_node_alive: Callable[[], bool]) -> tuple[RemoteEnd, str]:
    """Say how a worker's process ended, from what Ray raised."""
    if error is None:
        return "crash", "the worker ended"
    if not isinstance(error, RayError | NodeFaultError):
        raise error
    message = str(error).strip()
    match error:
        case RayTaskError():
            return "crash", message.splitlines()[-1]
        case OutOfMemoryError():
            return "oom", message
        case ActorDiedError() if _OUT_OF_MEMORY in message:
            return "oom", message
        case ActorDiedError() if is_node_alive():
            return "crash", _shortly(message)
    return "node_lost", _shortly(message)


def _shortly(message: str) -> str:
    """Leave out what Ray says of every such end."""
    own = [line for line in message.splitlines()[1:] if not line.startswith("\t")]
    return (own[0] if own else message).partition(" Some common causes")[0]
