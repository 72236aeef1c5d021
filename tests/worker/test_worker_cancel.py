"""A worker that is asked to stop, or whose supervisor goes."""

from pathlib import Path

from tests.parts.daemon_parts import wait_until
from tests.parts.worker_parts import (
    LONG,
    QUIET,
    order_for,
)
from zssr_daemon.protocol.messages import (
    CANCEL,
    WorkCancelled,
    WorkerReady,
    WorkProgress,
)
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.worker.main import worker_main


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
