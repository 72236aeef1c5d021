"""SlotExecutor, with real workers: jobs are done, fail, are cancelled, or lose their worker.

What holds here and in a cluster is tried for both, by a gateway double.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.parts.daemon_parts import identity_of, wait_until
from tests.parts.daemon_process import stat_of
from tests.parts.worker_parts import (
    LONG,
    WORKER_MAIN,
    child_of,
    cluster_of,
    ends,
    events_until,
    executor_on,
    killed_after_answer,
    killed_at_part_written,
    killed_before_begin,
    node_of,
    order_for,
    submit,
    wait_for_room,
)
from zssr_daemon.executor import slots
from zssr_daemon.executor.interface import StopRung, WorkerEnd, WorkerEnded
from zssr_daemon.executor.slots import SlotExecutor
from zssr_daemon.protocol.messages import (
    WorkCancelled,
    WorkDone,
    WorkFailed,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.system import durable


@pytest.fixture(scope="module", params=["local", "cluster"])
def executor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SlotExecutor]:
    """Share one executor: whatever a test does to its worker, the next must find it working."""
    is_local = request.param == "local"
    executor = executor_on("cpu") if is_local else cluster_of(tmp_path_factory.mktemp("state"))
    yield executor
    executor.cancel_all(is_urgent=lambda: True)
    assert executor.connections() == []


def test_done(executor: SlotExecutor, tmp_path: Path) -> None:
    """The part is a whole picture of twice the size, and its hash is reported."""
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


def test_equal_work_gives_equal_bytes(executor: SlotExecutor, tmp_path: Path) -> None:
    """An attempt that is repeated makes the same output."""
    hashes = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        submit(executor, order_for(tmp_path / name))
        done = events_until(executor, WorkDone)[-1]
        assert isinstance(done, WorkDone)
        hashes.append(done.out_sha256)
    assert hashes[0] == hashes[1]


def test_broken_source_fails(executor: SlotExecutor, tmp_path: Path) -> None:
    """The worker says why, and goes on living."""
    order = order_for(tmp_path)
    wait_for_room(executor)
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


def test_missing_folder_is_retryable(executor: SlotExecutor, tmp_path: Path) -> None:
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


def test_killed_worker_is_replaced(executor: SlotExecutor, tmp_path: Path) -> None:
    """After SIGKILL in the middle of a job its attempt has failed; a new worker does the next."""
    submit(executor, order_for(tmp_path, "victim", LONG))
    events_until(executor, WorkProgress)
    os.kill(child_of(executor).pid, signal.SIGKILL)
    ended = events_until(executor, WorkerEnded)[-1]
    node = node_of(executor)
    assert ended == WorkerEnded(WorkerEnd.CRASH, "victim", "exit code -9", node)
    submit(executor, order_for(tmp_path, "next"))
    events_until(executor, WorkDone)


def test_idle_worker_that_died_gets_no_job(executor: SlotExecutor) -> None:
    """No job is charged with an attempt that could not begin."""
    wait_for_room(executor)
    os.kill(child_of(executor).pid, signal.SIGKILL)
    if not node_of(executor):  # from afar it is heard of by the next poll only
        wait_until(lambda: not executor.has_room())
    (ended,) = [e for e in events_until(executor, WorkerEnded) if isinstance(e, WorkerEnded)]
    assert ended.job_id is None


def test_cancelled_job_stops(executor: SlotExecutor, tmp_path: Path) -> None:
    """The worker hears it at its next step and goes on living; other jobs are not meant."""
    submit(executor, order_for(tmp_path, "other", LONG))
    events_until(executor, WorkProgress)
    pid = child_of(executor).pid
    executor.cancel("job")
    assert executor._slots[0].is_cancelled is False
    executor.cancel("other")
    assert events_until(executor, WorkCancelled)[-1] == WorkCancelled(job_id="other")
    submit(executor, order_for(tmp_path, "next"))
    assert isinstance(events_until(executor, WorkDone)[-1], WorkDone)
    assert child_of(executor).pid == pid


def is_stopped(pid: int) -> bool:
    """Tell whether SIGSTOP has reached every thread; until then one of them may take SIGTERM."""
    threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    return all(stat_of(pid, thread)[:1] == [b"T"] for thread in threads)


def test_cancelled_job_that_does_not_stop_is_killed(
    executor: SlotExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the whole ladder; the job is told as cancelled, and no attempt is blamed."""
    submit(executor, order_for(tmp_path, "stuck", LONG))
    events_until(executor, WorkProgress)
    pid = child_of(executor).pid
    os.kill(pid, signal.SIGSTOP)  # it hears neither message nor SIGTERM
    wait_until(lambda: is_stopped(pid), "every thread to stop")
    monkeypatch.setattr(slots, "CANCEL_WAIT_S", 0.0)
    monkeypatch.setattr(slots, "TERMINATE_WAIT_S", 0.2)
    executor.cancel("stuck")
    events = events_until(executor, WorkerEnded)[-2:]
    node = node_of(executor)
    message = "killed on order" if node else "it did not end when its job was cancelled"
    assert events == [
        WorkCancelled(job_id="stuck"),
        WorkerEnded(WorkerEnd.CANCELLED, None, message, node),
    ]


@pytest.mark.parametrize("executor", ["local"], indirect=True)
def test_cancelled_job_that_heeds_sigterm_is_no_crash(
    executor: SlotExecutor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is deaf to messages, as amid a long step, ends by the second rung."""
    submit(executor, order_for(tmp_path, "deaf", LONG))
    events_until(executor, WorkProgress)
    monkeypatch.setattr(executor._slots[0], "send", lambda _: None)
    monkeypatch.setattr(slots, "CANCEL_WAIT_S", 0.0)
    executor.cancel("deaf")
    events = events_until(executor, WorkerEnded)[-2:]
    assert events == [
        WorkCancelled(job_id="deaf"),
        WorkerEnded(WorkerEnd.CANCELLED, None, "exit code -15"),
    ]


def test_stop_and_silence(tmp_path: Path) -> None:
    """A worker that shows no progress is killed; the ladder ends one that works."""
    executor = executor_on("cpu", silent_after_s=60.0)
    submit(executor, order_for(tmp_path, "stopped", LONG))
    events_until(executor, WorkProgress)
    os.kill(child_of(executor).pid, signal.SIGSTOP)
    executor.limits = replace(executor.limits, silent_after_s=0.05)
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded(WorkerEnd.SILENT, "stopped", "no sign of life for 0.05 s")
    executor.limits = replace(executor.limits, silent_after_s=60.0)
    submit(executor, order_for(tmp_path, "timed", LONG))
    executor.limits = replace(executor.limits, job_timeout_s=0.01)
    ended = events_until(executor, WorkerEnded)[-1]
    assert ended == WorkerEnded(WorkerEnd.TIMEOUT, "timed", "not done after 0.01 s")
    executor.limits = replace(executor.limits, job_timeout_s=300.0)
    submit(executor, order_for(tmp_path, "ladder", LONG))
    events_until(executor, WorkProgress)
    pid = child_of(executor).pid
    started_s = time.monotonic()
    rungs: list[tuple[StopRung, int]] = []
    executor.cancel_all(
        is_urgent=lambda: time.monotonic() > started_s + 60,
        on_rung=lambda rung, workers: rungs.append((rung, workers)),
    )
    assert rungs == [(StopRung.CANCEL, 1)]
    assert not Path(f"/proc/{pid}").exists()
    assert executor.connections() == []


def test_crash_after_the_answer_blames_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is done and the next one has not begun: no attempt has failed."""
    monkeypatch.setattr(WORKER_MAIN, killed_after_answer)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path, "first"))
    events = events_until(executor, WorkerEnded)
    assert [event.job_id for event in events if isinstance(event, WorkDone)] == ["first"]
    assert ends(events) == [WorkerEnded(WorkerEnd.CRASH, None, "exit code -9")]
    executor.cancel_all(is_urgent=lambda: True)


def test_crash_before_the_start_blames_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of a worker that died before it read it goes back, without a failed attempt."""
    monkeypatch.setattr(WORKER_MAIN, killed_before_begin)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path, "unread"))
    events = events_until(executor, WorkerEnded)
    assert events == [
        WorkCancelled(job_id="unread"),
        WorkerEnded(WorkerEnd.CRASH, None, "exit code -9"),
    ]
    executor.cancel_all(is_urgent=lambda: True)


def test_crash_before_the_answer_blames_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its output may be whole: until the worker reports it, the attempt has failed."""
    monkeypatch.setattr(WORKER_MAIN, killed_at_part_written)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path, "untold"))
    events = events_until(executor, WorkerEnded)
    assert ends(events) == [WorkerEnded(WorkerEnd.CRASH, "untold", "exit code -9")]
    executor.cancel_all(is_urgent=lambda: True)


@pytest.mark.parametrize("limit", [{"max_jobs": 2}, {"max_memory_bytes": 1}])
def test_recycled_between_jobs(tmp_path: Path, limit: dict[str, int]) -> None:
    """A worker is replaced after its last job, or above its memory mark; no job is interrupted."""
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
