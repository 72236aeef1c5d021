"""WorkerEvents: what a worker says, and how it ends, moves its job on, once and rightly."""

import os
from pathlib import Path
from typing import Any

from tests.parts.daemon_parts import drop, queue
from tests.parts.fake_executor import failing, good
from tests.parts.stepped_daemon import DaemonFactory, lines_of
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import WorkerEnd, WorkerEnded


def test_permanent_fault_is_not_tried_again(make_daemon: DaemonFactory) -> None:
    """A fault of the file itself ends its job at the first attempt."""
    daemon = make_daemon(failing(Reason.TRUNCATED, is_retryable=False))
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
    assert len(daemon.executor.orders) == 1


def test_part_that_is_missing(make_daemon: DaemonFactory) -> None:
    """A worker that reports a part which is not there costs an attempt each time."""

    def lying(order: Any) -> list[Any]:
        events = good(order)
        Path(order.part).unlink()
        return list(events)

    daemon = make_daemon(*[lying] * 5, limits={"max_attempts": 2})
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
    assert daemon.ledger.newest()[0].reason == "io_error"


def test_source_replaced_while_running(make_daemon: DaemonFactory) -> None:
    """Nothing of the old content is published; the new content is a job of its own."""

    def replacing(order: Any) -> list[Any]:
        events = list(good(order))
        drop(Path(order.inbox), order.src_rel, size=(20, 20))
        return events

    daemon = make_daemon(replacing)
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
    archived = (daemon.settings.folders.archive / "a.png").read_bytes()
    output = (daemon.settings.folders.output / "a_x2.png").read_bytes()
    assert output == b"enlarged " + archived
    assert daemon.ledger.newest()[0].width == 20


def test_source_touched_while_running(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """A share's own house-keeping changes times, not pictures: the work is not thrown away."""

    def touching(order: Any) -> list[Any]:
        events = list(good(order))
        os.utime(Path(order.inbox) / order.src_rel, (1, 1))
        return events

    daemon = make_daemon(touching)
    drop(daemon.settings.folders.inbox, "a.png")
    assert daemon.supervisor.run(is_once=True)
    assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
    assert len(daemon.executor.orders) == len(lines_of(log, "job_queued")) == 1


def test_source_touched_before_the_worker_looks(make_daemon: DaemonFactory) -> None:
    """The job goes back, no attempt counts, and it knows its file by the new time."""

    def touching(order: Any) -> list[Any]:
        os.utime(Path(order.inbox) / order.src_rel, (1, 1))
        return list(failing(Reason.SOURCE_CHANGED)(order))

    daemon = make_daemon(touching)
    drop(daemon.settings.folders.inbox, "a.png")
    assert daemon.supervisor.run(is_once=True)
    first, second = daemon.executor.orders
    assert first.job_id == second.job_id
    assert second.identity.mtime_ns == 1_000_000_000
    assert daemon.ledger.newest()[0].attempts == 1


def test_source_changed_says_the_worker(make_daemon: DaemonFactory) -> None:
    """The worker noticed first: the file settles again, and no attempt counts."""
    daemon = make_daemon(failing(Reason.SOURCE_CHANGED))
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert daemon.ledger.newest()[0].attempts == 1
    assert "failed" not in daemon.files()


def test_output_name_is_taken_meanwhile(make_daemon: DaemonFactory) -> None:
    """The other file keeps the name; the output gets another one."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings)
    (daemon.settings.folders.output / "a_x2.png").write_text("the user's")
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    (job,) = daemon.ledger.newest()
    assert job.out_rel == f"a_x2-{job.id[:8]}.png"
    assert (daemon.settings.folders.output / "a_x2.png").read_text() == "the user's"


def test_idle_worker_ends(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """The end of a worker without a job is logged, and no job is blamed for it."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings)
    daemon.executor.tell(WorkerEnded(WorkerEnd.CRASH, None, "exit code -9"))
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert [line["reason"] for line in lines_of(log, "worker_restarted")] == ["crash"]
    assert daemon.ledger.newest()[0].attempts == 1
