"""The executor, with real workers: done, failed, cancelled, killed, or without a device."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.parts.daemon_parts import identity_of, wait_until
from tests.parts.worker_parts import (
    LONG,
    QUIET,
    child_of,
    events_until,
    executor_on,
    killed_after_answer,
    killed_at_part_written,
    killed_before_begin,
    order_for,
    quiet_worker,
    submit,
    worker_if_there_is_a_device,
    worker_that_fails,
)
from zssr_daemon.executor.interface import Event, WorkerEnd, WorkerEnded
from zssr_daemon.executor.local import LocalExecutor
from zssr_daemon.protocol.messages import (
    CANCEL,
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.system import durable
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.worker.main import worker_main

TARGET = "zssr_daemon.executor.worker_slot.worker_main"


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    """Share one executor: whatever a test does to its worker, the next must find it working."""
    executor = executor_on("cpu")
    yield executor
    executor.cancel_all(is_urgent=lambda: True)
    assert executor.connections() == []


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
    assert {event.patience_s for event in progress if event.stage == "fit"} == {0.0}
    assert {event.patience_s for event in progress if event.stage == "infer"} == {24 * 20 * 2e-6}
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
    assert ended == WorkerEnded(WorkerEnd.CRASH, "victim", "exit code -9")
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


def test_worker_that_dies_while_it_loads() -> None:
    """Once is an accident: the next is started at once, and no device is lost."""
    executor = executor_on("cpu")
    os.kill(child_of(executor).pid, signal.SIGKILL)
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded(WorkerEnd.CRASH, None, "exit code -9")
    assert not executor.is_lost()
    os.kill(child_of(executor).pid, signal.SIGKILL)
    events_until(executor, WorkerEnded)
    assert executor.is_lost()
    executor.cancel_all(is_urgent=lambda: True)


def test_stop_and_silence(tmp_path: Path) -> None:
    """A worker that shows no progress is killed; the ladder ends one that works."""
    executor = executor_on("cpu", silent_after_s=60.0)
    submit(executor, order_for(tmp_path, "stopped", LONG))
    events_until(executor, WorkProgress)
    os.kill(child_of(executor).pid, signal.SIGSTOP)
    executor._silent_after_s = 0.05
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded(WorkerEnd.SILENT, "stopped", "no sign of life for 0.05 s")
    executor._silent_after_s = 60.0
    submit(executor, order_for(tmp_path, "timed", LONG))
    executor._job_timeout_s = 0.01
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded(WorkerEnd.TIMEOUT, "timed", "not done after 0.01 s")
    executor._job_timeout_s = 300.0
    submit(executor, order_for(tmp_path, "ladder", LONG))
    events_until(executor, WorkProgress)
    pid = child_of(executor).pid
    started_s = time.monotonic()
    rungs: list[tuple[str, int]] = []
    executor.cancel_all(
        is_urgent=lambda: time.monotonic() > started_s + 60,
        on_rung=lambda rung, workers: rungs.append((rung, workers)),
    )
    assert rungs == [("cancel", 1)]
    assert not Path(f"/proc/{pid}").exists()
    assert executor.connections() == []


def ends(events: list[Event]) -> list[WorkerEnded]:
    """Return the ends of workers among events."""
    return [event for event in events if isinstance(event, WorkerEnded)]


def test_patience_is_granted_to_those_who_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long call on a large picture is no silence; after the next sign of life it would be."""
    monkeypatch.setattr(TARGET, quiet_worker)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path))
    events_until(executor, WorkProgress)
    executor._silent_after_s = 0.0
    for _ in range(3):
        assert executor.poll() == []
    executor._slots[0].send("go on")
    assert [end.reason for end in ends(events_until(executor, WorkerEnded))] == ["silent"]
    executor.cancel_all(is_urgent=lambda: True)


def test_crash_after_the_answer_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is done and the next one not begun: neither is to blame."""
    monkeypatch.setattr(TARGET, killed_after_answer)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path, "first"))
    events = events_until(executor, WorkerEnded)
    assert [event.job_id for event in events if isinstance(event, WorkDone)] == ["first"]
    assert ends(events) == [WorkerEnded(WorkerEnd.CRASH, None, "exit code -9")]
    executor.cancel_all(is_urgent=lambda: True)


def test_crash_before_the_begin_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies with an order unread gives it back unblamed."""
    monkeypatch.setattr(TARGET, killed_before_begin)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path, "unread"))
    events = events_until(executor, WorkerEnded)
    assert events == [
        WorkCancelled(job_id="unread"),
        WorkerEnded(WorkerEnd.CRASH, None, "exit code -9"),
    ]
    executor.cancel_all(is_urgent=lambda: True)


def test_crash_before_the_answer_is_the_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its output may be whole: as long as nobody was told, the attempt has failed."""
    monkeypatch.setattr(TARGET, killed_at_part_written)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path, "untold"))
    events = events_until(executor, WorkerEnded)
    assert ends(events) == [WorkerEnded(WorkerEnd.CRASH, "untold", "exit code -9")]
    executor.cancel_all(is_urgent=lambda: True)


@pytest.mark.parametrize("limit", [{"max_jobs": 2}, {"max_memory_bytes": 1}])
def test_recycled_between_jobs(tmp_path: Path, limit: dict[str, int]) -> None:
    """A fresh process after so many jobs, or above the mark; no job is interrupted for it."""
    executor = executor_on("cpu", **limit)
    jobs_each = limit.get("max_jobs", 1)
    pids = set()
    for number in range(2 * jobs_each):
        submit(executor, order_for(tmp_path, str(number)))
        pids.add(child_of(executor).pid)
        events = events_until(executor, WorkDone)
        is_last = number % jobs_each == jobs_each - 1
        assert [(end.reason, end.job_id) for end in ends(events)] == [("recycle", None)] * is_last
        assert not executor.is_lost()
    assert len(pids) == 2
    executor.cancel_all(is_urgent=lambda: True)


def test_broken_device_gets_no_further_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the failure on there is no room until a fresh worker has passed its test."""
    monkeypatch.setattr(TARGET, worker_that_fails)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path))
    *_, failed, ended = events_until(executor, WorkerEnded)
    assert isinstance(failed, WorkFailed)
    assert (failed.reason, failed.is_retryable) == ("device_error", True)
    assert ended == WorkerEnded(WorkerEnd.DEVICE_LOST, None, failed.message)
    assert not executor.has_room()
    assert not executor.is_lost()
    events_until(executor, WorkerReady)
    assert executor.has_room()
    executor.cancel_all(is_urgent=lambda: True)


def test_lost_until_a_worker_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker under test is no worker: neither does its start end the loss, nor a crash begin it.

    Only a start that fails begins it.
    """
    monkeypatch.setattr(TARGET, worker_if_there_is_a_device)
    monkeypatch.setattr("zssr_daemon.executor.worker_slot._START_RETRY_S", 0.0)
    device = tmp_path / "device"
    executor = executor_on(str(device))
    assert not executor.is_lost()  # it may yet come
    for _ in range(2):
        events_until(executor, WorkerEnded)
        assert executor.is_lost()
        executor.poll()  # the next try is under way
        assert executor.connections()
        assert executor.is_lost()
    device.touch()
    while not any(isinstance(event, WorkerReady) for event in executor.poll()):
        assert executor.is_lost()
    assert not executor.is_lost()
    device.unlink()
    os.kill(child_of(executor).pid, signal.SIGKILL)
    (crash,) = ends(events_until(executor, WorkerEnded))
    assert crash.reason == "crash"
    assert not executor.is_lost()
    (broken,) = ends(events_until(executor, WorkerEnded))
    assert (broken.reason, broken.message) == ("device_lost", "unplugged")
    assert executor.is_lost()
    executor.cancel_all(is_urgent=lambda: True)


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine short of descriptors or processes does not end the daemon; it is tried again."""
    monkeypatch.setattr("zssr_daemon.executor.worker_slot._START_RETRY_S", 0.0)
    executor = executor_on("cpu")
    events_until(executor, WorkerReady)
    os.kill(child_of(executor).pid, signal.SIGKILL)
    wait_until(lambda: not executor.has_room())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        # The dead worker's pipe may give its descriptor back, but one process needs more.
        reasons = [end.reason for end in ends(executor.poll() + executor.poll())]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert reasons[:2] == ["crash", "device_lost"]
    assert executor.is_lost()
    events_until(executor, WorkerReady)
    assert not executor.is_lost()
    executor.cancel_all(is_urgent=lambda: True)
