"""What the tests of worker processes share: orders, events, and workers that die as told."""

import os
import signal
import time
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.parts.daemon_parts import drop, identity_of, wait_until
from tests.parts.gateway_double import DoubledCluster
from tests.parts.picture_files import LIMITS
from tests.parts.tiny_settings import TINY
from zssr_daemon import failpoints
from zssr_daemon.executor.interface import ExecutorEvent, Place, WorkerEnded
from zssr_daemon.executor.local import LocalExecutor
from zssr_daemon.executor.local_worker import LocalWorker
from zssr_daemon.executor.placement import Placement
from zssr_daemon.executor.slots import SlotExecutor, SlotLimits
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.protocol.messages import (
    WorkDone,
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.telemetry.logs import LogSettings
from zssr_daemon.worker.main import worker_main
from zssr_daemon.zssr.config import ZSSRConfig

LONG = ZSSRConfig(num_epochs=1_000_000, rounds=1, crop_size=8, model_width=4, model_depth=2)
#: Height and width of the picture with which a worker tests its device.
SELF_TEST = (12, 12)

QUIET = LogSettings(level="error")

#: What a worker process runs; tests put another function in its place.
WORKER_MAIN = "zssr_daemon.executor.local_worker.worker_main"


def executor_on(device: str, **limits: Any) -> LocalExecutor:
    """Start one worker."""
    return LocalExecutor([Placement(device, 1)], QUIET, limits_of(**limits))


def cluster_of(state_folder: Path, **limits: Any) -> DoubledCluster:
    """Start one worker behind a gateway double."""
    return DoubledCluster(state_folder, limits_of(**limits), "cpu")


def limits_of(**limits: Any) -> SlotLimits:
    """Return limits that no test reaches, unless it names them."""
    return SlotLimits(**{"silent_after_s": 300.0, "job_timeout_s": 300.0} | limits)


def order_for(
    folder: Path,
    job_id: str = "job",
    config: ZSSRConfig = TINY,
) -> WorkOrder:
    """Order the enlargement of a picture dropped into `folder`."""
    return order_of(drop(folder), job_id, config)


def order_of(path: Path, job_id: str = "job", config: ZSSRConfig = TINY) -> WorkOrder:
    """Order the enlargement of a file, and the output beside it."""
    return WorkOrder(
        job_id=job_id,
        inbox=str(path.parent),
        src_rel=path.name,
        identity=identity_of(path),
        part=str(path.parent / "part"),
        config=config,
        limits=replace(LIMITS, max_input_pixels=50_000_000),
        output=OutputRules(setting="png", quality=95, keeps_metadata=True, max_pixels=10**9),
        weights_folder=None,
    )


def events_until(executor: SlotExecutor, kind: type) -> list[ExecutorEvent]:
    """Poll until an event of `kind` has come; return all that came."""
    events: list[ExecutorEvent] = []

    def came() -> bool:
        events.extend(executor.poll())
        return any(isinstance(event, kind) for event in events)

    wait_until(came, kind.__name__)
    return events


def ends(events: list[ExecutorEvent]) -> list[WorkerEnded]:
    """Return the ends of workers among events."""
    return [event for event in events if isinstance(event, WorkerEnded)]


def wait_for_room(executor: SlotExecutor) -> None:
    """Return when a worker is ready and idle."""

    def has_room() -> bool:
        executor.poll()
        return executor.has_room()

    wait_until(has_room, "room")


def submit(executor: SlotExecutor, order: WorkOrder) -> None:
    """Hand an order over as soon as there is room."""
    wait_for_room(executor)
    place = executor.submit(order)
    assert place == Place("cpu", node_of(executor))
    assert not executor.has_room()


def node_of(executor: SlotExecutor) -> str:
    """Return the machine that the one worker is on."""
    (worker,) = executor.workers()
    return worker.node


def child_of(executor: SlotExecutor) -> ChildProcess:
    """Return the one worker process, which behind a gateway double is on this machine too."""
    if isinstance(executor, DoubledCluster):
        (worker,) = executor.gateway.workers.values()
        return worker
    (slot,) = executor._slots
    assert isinstance(slot.child, LocalWorker)
    return slot.child


def answer_of(worker: ChildProcess, order: WorkOrder) -> WorkDone | WorkFailed:
    """Let a worker work on an order, and return its answer."""
    worker.send(order)
    return heard(worker, WorkDone | WorkFailed)  # type: ignore[no-any-return]


def heard(worker: ChildProcess, kind: Any) -> Any:
    """Wait for a message of `kind`, and return it; those before it are dropped."""
    found: list[object] = []

    def came() -> bool:
        found.extend(message for message in worker.received() if isinstance(message, kind))
        return bool(found)

    wait_until(came, str(kind))
    return found[0]


def ready_worker(
    target: Any = worker_main, *arguments: Any, log: LogSettings = QUIET
) -> ChildProcess:
    """Start a worker process and wait until its device has passed the test."""
    worker = ChildProcess("test-worker", target, "cpu", 1, log, 1.0, *arguments)
    heard(worker, WorkerReady)
    return worker


def quiet_worker(connection: "Connection[Any, Any]", *_: Any) -> None:
    """Ask for patience, then, when told to go on, for none, and never be heard of again."""
    connection.send(WorkerReady(device="cpu", torch_version="none"))
    order = connection.recv()
    connection.send(sign_of_life(order, patience_s=1e9))
    connection.recv()
    connection.send(sign_of_life(order, patience_s=0.0))
    time.sleep(600)


def hungry_worker(connection: "Connection[Any, Any]", *_: Any) -> None:
    """Begin a job and take all the memory there is."""
    connection.send(WorkerReady(device="cpu", torch_version="none"))
    connection.send(sign_of_life(connection.recv(), patience_s=0.0))
    Path("/proc/self/oom_score_adj").write_text("1000")
    taken = []
    while True:
        taken.append(b"x" * (1 << 24))


def sign_of_life(order: WorkOrder, *, patience_s: float) -> WorkProgress:
    """Return a first sign of work on an order."""
    return WorkProgress(
        job_id=order.job_id,
        stage="infer",
        step=1,
        steps=2,
        fraction=0.5,
        loss=None,
        lr=None,
        patience_s=patience_s,
    )


def worker_if_there_is_a_device(
    connection: "Connection[Any, Any]", device: str, *arguments: Any
) -> None:
    """Be a worker whose device is there while a file of its name is."""
    if Path(device).exists():
        worker_main(connection, "cpu", *arguments)
    else:
        connection.send(WorkerBroken(message="unplugged"))


def worker_that_fails(
    connection: "Connection[Any, Any]",
    device: str,
    threads: int,
    log: LogSettings,
    memory_share: float,
    *errors: Exception,
) -> None:
    """Be a worker whose jobs fail with `errors` in turn, by default as when a device breaks."""
    from zssr_daemon.worker import enlarger  # noqa: PLC0415 (torch is for the child alone)

    real = vars(enlarger)["super_resolve"]
    faults = iter(errors or [RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")])

    def stub(image: Any, *arguments: Any, **keys: Any) -> Any:
        if tuple(image.shape[-2:]) == SELF_TEST:
            return real(image, *arguments, **keys)
        raise next(faults)

    vars(enlarger)["super_resolve"] = stub
    worker_main(connection, device, threads, log, memory_share)


def worker_that_cannot_report(connection: "Connection[Any, Any]", *arguments: Any) -> None:
    """Be a worker in which a function of reports, "package.module.name", raises TypeError.

    arguments: those of `worker_main`, and the function.
    """
    *own, place = arguments
    module, _, name = place.rpartition(".")

    def stub(*_: Any, **__: Any) -> Any:
        raise TypeError(f"{name} does not like this")

    vars(import_module(f"zssr_daemon.{module}"))[name] = stub
    worker_main(connection, *own)


def killed_at_part_begun(connection: "Connection[Any, Any]", *arguments: Any) -> None:
    """Be a worker that gets SIGKILL when its output is there and empty."""
    _killed_at(Failpoint.PART_BEGUN)
    worker_main(connection, *arguments)


def killed_at_part_written(connection: "Connection[Any, Any]", *arguments: Any) -> None:
    """Be a worker that gets SIGKILL when its output is whole and no answer sent."""
    _killed_at(Failpoint.PART_WRITTEN)
    worker_main(connection, *arguments)


def _killed_at(point: Failpoint) -> None:
    def kill(reached: Failpoint) -> None:
        if reached is point:
            kill_self()

    failpoints.on_reach = kill


def kill_self() -> None:
    """Die of SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


class KilledAfterAnswer:
    """A worker's end of the pipe that kills the worker as soon as an answer is on its way."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection
        self.poll = connection.poll
        self.recv = connection.recv

    def send(self, message: object) -> None:
        """Send; an answer is the last message."""
        self._connection.send(message)
        if isinstance(message, WorkDone | WorkFailed):
            kill_self()


def killed_after_answer(connection: "Connection[Any, Any]", *arguments: Any) -> None:
    """Be a worker that gets SIGKILL after its first answer."""
    worker_main(KilledAfterAnswer(connection), *arguments)


class KilledBeforeBegin(KilledAfterAnswer):
    """A worker's end of the pipe that kills the worker when an order has come."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        super().__init__(connection)
        self.recv = self._receive

    def _receive(self) -> object:
        order = self._connection.recv()
        kill_self()
        return order


def killed_before_begin(connection: "Connection[Any, Any]", *arguments: Any) -> None:
    """Be a worker that gets SIGKILL between an order and the first sign of work on it."""
    worker_main(KilledBeforeBegin(connection), *arguments)
