"""The executor, with real workers: done, failed, cancelled, killed, or without a device."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import TINY
from daemon_parts import drop, identity_of, wait_until
from picture_files import LIMITS
from PIL import Image

from zssr_daemon import durable
from zssr_daemon.child import ChildProcess
from zssr_daemon.executor import Event, LocalExecutor, WorkerEnded
from zssr_daemon.logs import LogSettings
from zssr_daemon.messages import (
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.outputs import OutputRules
from zssr_daemon.placement import Placement
from zssr_daemon.worker import CANCEL, worker_main
from zssr_daemon.zssr.config import ZSSRConfig

LONG = ZSSRConfig(num_epochs=1_000_000, rounds=1, crop_size=8, model_width=4, model_depth=2)
QUIET = LogSettings(level="error")


def executor_on(device: str, *, silent_after_s: float = 300.0) -> LocalExecutor:
    """Start one worker."""
    place = Placement(device, 1)
    return LocalExecutor([place], QUIET, silent_after_s=silent_after_s, job_timeout_s=300.0)


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Share one executor: whatever a test does to its worker, the next must find it working."""
    executor = executor_on("cpu")
    yield executor
    executor.cancel_all(is_urgent=lambda: True)
    assert executor.connections() == []


def order_for(folder: Path, job_id: str = "job", config: ZSSRConfig = TINY) -> WorkOrder:
    """Order the enlargement of a picture dropped into `folder`."""
    path = drop(folder)
    return WorkOrder(
        job_id=job_id,
        inbox=str(folder),
        src_rel=path.name,
        identity=identity_of(path),
        part=str(folder / "part"),
        config=config,
        limits=LIMITS,
        output=OutputRules(setting="png", quality=95, keeps_metadata=True, max_pixels=10**6),
        weights_folder=None,
    )


def events_until(executor: LocalExecutor, kind: type) -> list[Event]:
    """Poll until an event of `kind` has come; return all that came."""
    events: list[Event] = []

    def came() -> bool:
        events.extend(executor.poll())
        return any(isinstance(event, kind) for event in events)

    wait_until(came, kind.__name__)
    return events


def submit(executor: LocalExecutor, order: WorkOrder) -> None:
    """Hand an order over as soon as there is room."""

    def has_room() -> bool:
        executor.poll()
        return executor.has_room()

    wait_until(has_room, "room")
    assert executor.submit(order) == "cpu"
    assert not executor.has_room()


def child_of(executor: LocalExecutor) -> ChildProcess:
    """Return the one worker process."""
    (slot,) = executor._slots
    assert slot.child is not None
    return slot.child


def test_done(executor: LocalExecutor, tmp_path: Path) -> None:
    """The part is a whole picture of twice the size, and its hash is told."""
    order = order_for(tmp_path)
    submit(executor, order)
    *others, done = events_until(executor, WorkDone)
    assert isinstance(done, WorkDone)
    assert done.out_sha256 == durable.sha256_of(Path(order.part))
    with Image.open(order.part) as picture:
        assert picture.size == (24, 20)
    assert (done.report.out_width, done.report.out_height) == (24, 20)
    progress = [event for event in others if isinstance(event, WorkProgress)]
    assert {event.stage for event in progress} == {"decode", "fit", "infer", "encode"}
    fractions = [event.fraction for event in progress]
    assert fractions == sorted(fractions)
    assert executor.has_room()


def test_equal_work_gives_equal_bytes(executor: LocalExecutor, tmp_path: Path) -> None:
    """An attempt that is repeated makes the same output."""
    hashes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        submit(executor, order_for(tmp_path / name))
        done = events_until(executor, WorkDone)[-1]
        assert isinstance(done, WorkDone)
        hashes.append(done.out_sha256)
    assert hashes[0] == hashes[1]


def test_broken_source_fails(executor: LocalExecutor, tmp_path: Path) -> None:
    """The worker says why, and lives on."""
    order = order_for(tmp_path)
    pid = child_of(executor).pid
    source = tmp_path / order.src_rel
    source.write_bytes(source.read_bytes()[:60])
    broken = WorkOrder(
        **{name: getattr(order, name) for name in order.__dataclass_fields__}
        | {"identity": identity_of(source)}
    )
    for wrong, reason in ((broken, "truncated"), (order, "source_changed")):
        submit(executor, wrong)
        failed = events_until(executor, WorkFailed)[-1]
        assert isinstance(failed, WorkFailed)
        assert (failed.job_id, failed.reason) == ("job", reason)
    assert child_of(executor).pid == pid


def test_missing_folder_is_retryable(executor: LocalExecutor, tmp_path: Path) -> None:
    """A disk's fault is not the image's."""
    order = order_for(tmp_path)
    gone = WorkOrder(
        **{name: getattr(order, name) for name in order.__dataclass_fields__}
        | {"part": str(tmp_path / "gone" / "part")}
    )
    submit(executor, gone)
    failed = events_until(executor, WorkFailed)[-1]
    assert isinstance(failed, WorkFailed)
    assert (failed.reason, failed.is_retryable) == ("io_error", True)


def test_killed_worker_is_replaced(executor: LocalExecutor, tmp_path: Path) -> None:
    """SIGKILL in the middle of a job: the job is told of, and a new worker does the next."""
    submit(executor, order_for(tmp_path, "victim", LONG))
    events_until(executor, WorkProgress)
    os.kill(child_of(executor).pid, signal.SIGKILL)
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded("crash", "victim", "exit code -9")
    submit(executor, order_for(tmp_path, "next"))
    events_until(executor, WorkDone)


def test_idle_worker_that_died_gets_no_job(executor: LocalExecutor) -> None:
    """No job is charged with an attempt that could not begin."""
    assert executor.has_room()
    os.kill(child_of(executor).pid, signal.SIGKILL)
    wait_until(lambda: not executor.has_room())
    (ended,) = [e for e in events_until(executor, WorkerEnded) if isinstance(e, WorkerEnded)]
    assert ended.job_id is None


def test_cancel_is_heard_within_the_fit(tmp_path: Path) -> None:
    """A worker stops at its next step; asked when idle, it just goes on."""
    worker = ChildProcess("test-worker", worker_main, "cpu", 1, QUIET)
    worker.send(CANCEL)
    worker.send(order_for(tmp_path, "long", LONG))
    messages: list[object] = []

    def hears(kind: type) -> bool:
        messages.extend(worker.received())
        return any(isinstance(message, kind) for message in messages)

    wait_until(lambda: hears(WorkProgress))
    assert any(isinstance(message, WorkerReady) for message in messages)
    worker.send(CANCEL)
    wait_until(lambda: hears(WorkCancelled))
    assert messages[-1] == WorkCancelled(job_id="long")
    assert worker.is_alive
    # In the middle of the next job its supervisor goes: the pipe's end is the worker's end.
    worker.send(order_for(tmp_path, "orphaned", LONG))
    messages.clear()
    wait_until(lambda: hears(WorkProgress))
    worker.connection.close()
    assert worker.join(60.0)
    assert worker.exit_code == 0


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "auto:x", ""])
def test_device_that_is_not_there(device: str) -> None:
    """It is told as such, the worker is not restarted at once, and there is never room."""
    executor = executor_on(device)
    events = events_until(executor, WorkerEnded)
    broken, ended = events
    assert isinstance(broken, WorkerBroken)
    assert isinstance(ended, WorkerEnded)
    assert (ended.reason, ended.job_id, ended.message) == ("device_lost", None, broken.message)
    assert ended.message
    assert executor.poll() == []
    assert not executor.has_room()
    assert executor.connections() == []
    executor.cancel_all(is_urgent=lambda: False)


def test_stop_and_silence(tmp_path: Path) -> None:
    """A worker that shows no progress is killed; the ladder ends one that works."""
    executor = executor_on("cpu", silent_after_s=60.0)
    submit(executor, order_for(tmp_path, "stopped", LONG))
    events_until(executor, WorkProgress)
    os.kill(child_of(executor).pid, signal.SIGSTOP)
    executor._silent_after_s = 0.05
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded("silent", "stopped", "no sign of life for 0.05 s")
    executor._silent_after_s = 60.0
    submit(executor, order_for(tmp_path, "timed", LONG))
    executor._job_timeout_s = 0.01
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded("timeout", "timed", "not done after 0.01 s")
    executor._job_timeout_s = 300.0
    submit(executor, order_for(tmp_path, "ladder", LONG))
    events_until(executor, WorkProgress)
    pid = child_of(executor).pid
    started_s = time.monotonic()
    executor.cancel_all(is_urgent=lambda: time.monotonic() > started_s + 60)
    assert not Path(f"/proc/{pid}").exists()
    assert executor.connections() == []
