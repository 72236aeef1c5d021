"""Actor: a worker on a node, as a Ray actor; it computes by the same `serve` as local workers."""

import queue
import time
from contextlib import suppress
from typing import Any

import ray

from zssr_daemon.cluster.scratch import ResultFile, Scratch, SourceCopy
from zssr_daemon.protocol.messages import CANCEL, WorkOrder, WorkProgress
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import LogSettings
from zssr_daemon.worker.main import serve

#: A call for news waits so long for the first.
NEWS_WAIT_S = 2.0

#: A sign of life that says nothing new is passed on after so long: each costs the gateway a call,
#: and a gateway may have hundreds of workers.
_SAME_AGAIN_S = 1.0

#: The threads beside the work: one waits for news, the other takes orders and hands over files.
CONTROL_GROUP = {"control": 2}


class QueueLink:
    """The worker's link inside the actor's process: a queue each way."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._last: WorkProgress | None = None  # that was kept
        self._last_s = 0.0

    def poll(self) -> bool:
        """Tell whether `recv` would return at once."""
        return not self._orders.empty()

    def recv(self) -> Any:
        """Wait for the next message."""
        return self._orders.get()

    def send(self, message: Any, /) -> None:
        """Keep a message until the gateway asks."""
        if isinstance(message, WorkProgress) and not self._is_news(message):
            return
        self._news.put(message)

    def give(self, message: Any) -> None:
        """Hand a message to the worker."""
        self._orders.put(message)

    def news(self) -> list[Any]:
        """Return what the worker has sent; wait for the first, but not for ever."""
        found = []
        with suppress(queue.Empty):
            found.append(self._news.get(timeout=NEWS_WAIT_S))
            while True:
                found.append(self._news.get_nowait())
        return found

    def _is_news(self, progress: WorkProgress) -> bool:
        """Tell whether it is of another job or stage, asks for other patience, or is due."""
        now_s, last = time.monotonic(), self._last
        if (
            last is not None
            and (last.job_id, last.stage) == (progress.job_id, progress.stage)
            and last.patience_s == progress.patience_s
            and now_s - self._last_s < _SAME_AGAIN_S
        ):
            return False
        self._last, self._last_s = progress, now_s
        return True


class RemoteWorker:
    """Runs a worker in `run`; all other methods are called beside it.

    The gateway names the options of Ray, since they depend on the node.
    """

    def __init__(self, device: str, threads: int, level: str) -> None:
        logs.configure(LogSettings(level))
        self._device = device
        self._threads = threads
        self._link = QueueLink()
        self._scratch = Scratch()

    def run(self) -> None:
        """Serve orders until the process ends, or its device is of no more use."""
        serve(self._link, self._device, self._threads)

    @ray.method(concurrency_group="control")
    def news(self) -> list[Any]:
        """Return the worker's messages; wait a little for the first."""
        return self._link.news()

    @ray.method(concurrency_group="control")
    def work(self, order: WorkOrder, source: SourceCopy) -> None:
        """Begin an order, on a copy of its source.

        Raises:
            OSError: this node's disk is at fault.
        """
        self._link.give(self._scratch.take(order, source))

    @ray.method(concurrency_group="control")
    def cancel(self) -> None:
        """Ask the worker to stop the order in hand."""
        self._link.give(CANCEL)

    @ray.method(concurrency_group="control")
    def files(self) -> list[ResultFile]:
        """Describe what the order in hand has given."""
        return self._scratch.files()

    @ray.method(concurrency_group="control")
    def chunk(self, name: str, offset: int) -> bytes:
        """Return a piece of one of these files."""
        return self._scratch.chunk(name, offset)

    @ray.method(concurrency_group="control")
    def clear(self) -> None:
        """Remove these files."""
        self._scratch.clear()
