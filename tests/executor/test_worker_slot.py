"""WorkerSlot: a process is started, heard, given patience, and replaced at once or later."""

import os
import resource
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.daemon_parts import wait_until
from tests.parts.worker_parts import (
    WORKER_MAIN,
    child_of,
    ends,
    events_until,
    executor_on,
    order_for,
    quiet_worker,
    submit,
    worker_if_there_is_a_device,
    worker_that_fails,
)
from zssr_daemon.executor.interface import WorkerEnd, WorkerEnded
from zssr_daemon.protocol.messages import (
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkProgress,
)


def test_device_that_is_not_there() -> None:
    """The device is reported lost, the worker is not restarted at once, and there is no room."""
    executor = executor_on("cuda:99")
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
    """After the first such death the next process starts at once; after the second, not."""
    executor = executor_on("cpu")
    os.kill(child_of(executor).pid, signal.SIGKILL)
    ended = events_until(executor, WorkerEnded)[-1]
    assert isinstance(ended, WorkerEnded)
    assert (ended.reason, ended.job_id) == (WorkerEnd.NO_START, None)
    assert "no worker process can start (exit code -9)" in ended.message
    assert not executor.is_lost()
    os.kill(child_of(executor).pid, signal.SIGKILL)
    events_until(executor, WorkerEnded)
    assert executor.is_lost()
    executor.cancel_all(is_urgent=lambda: True)


def test_patience_is_granted_to_those_who_ask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that asked for patience is not silent; from its next sign of life on, it may be."""
    monkeypatch.setattr(WORKER_MAIN, quiet_worker)
    executor = executor_on("cpu")
    submit(executor, order_for(tmp_path))
    events_until(executor, WorkProgress)
    executor.limits = replace(executor.limits, silent_after_s=0.0)
    for _ in range(3):
        assert executor.poll() == []
    child_of(executor).send("go on")
    assert [end.reason for end in ends(events_until(executor, WorkerEnded))] == ["silent"]
    executor.cancel_all(is_urgent=lambda: True)


def test_broken_device_gets_no_further_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a device error there is no room until a new worker has passed its self-test."""
    monkeypatch.setattr(WORKER_MAIN, worker_that_fails)
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
    """A failed start begins the loss of a device, and only a worker that is ready ends it.

    A new process that has not passed its self-test does not end the loss, and a crash does not
    begin it.
    """
    monkeypatch.setattr(WORKER_MAIN, worker_if_there_is_a_device)
    monkeypatch.setattr("zssr_daemon.system.start_retry.START_RETRY_S", 0.0)
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
    """Where no process can be started, the daemon goes on and tries again."""
    monkeypatch.setattr("zssr_daemon.system.start_retry.START_RETRY_S", 0.0)
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
    assert reasons[:2] == ["crash", "no_start"]
    assert executor.is_lost()
    events_until(executor, WorkerReady)
    assert not executor.is_lost()
    executor.cancel_all(is_urgent=lambda: True)
