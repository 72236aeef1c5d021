"""Admin: whoever asks is answered, faults are logged, and no fault of a report stops the daemon."""

import threading
from typing import Any

import pytest

from tests.parts.daemon_parts import drop, queue
from tests.parts.fake_executor import failing, silent
from tests.parts.stepped_daemon import DaemonFactory, SteppedDaemon, lines_of
from zssr_daemon.daemon.control import admin
from zssr_daemon.errors import Reason
from zssr_daemon.protocol.control import ask


@pytest.fixture(autouse=True)
def _report_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "_REPORT_S", 0.0)
    monkeypatch.setattr(admin, "WRITE_S", 0.0)


def answer(daemon: SteppedDaemon, **request: Any) -> dict[str, Any]:
    """Ask from another thread, as a command does from another process, and step meanwhile."""
    daemon.step()  # opens the socket
    found: list[dict[str, Any]] = []
    state = daemon.settings.folders.state
    asking = threading.Thread(target=lambda: found.append(ask(state, **request)))
    asking.start()
    daemon.steps_until(lambda: found)
    asking.join()
    return found[0]


def test_status_is_of_this_moment(make_daemon: DaemonFactory) -> None:
    """It names the job in work, and counts those that wait."""
    daemon = make_daemon(silent)
    for name in ("a.png", "b.png"):
        queue(daemon.ledger, daemon.settings, name)
    daemon.steps_until(lambda: daemon.executor.orders)
    status = answer(daemon, command="status")["status"]
    assert [job["image"] for job in status["jobs"]] == ["a.png"]
    assert (status["queued"], status["pause"]) == (1, None)


def test_drain_ends_the_run_after_the_jobs_in_work(make_daemon: DaemonFactory) -> None:
    """The answer says how many those are; no other job begins."""
    daemon = make_daemon(silent)
    for name in ("a.png", "b.png"):
        queue(daemon.ledger, daemon.settings, name)
    daemon.steps_until(lambda: daemon.executor.orders)
    assert answer(daemon, command="drain") == {"running": 1}
    assert daemon.supervisor._end_of_run(is_once=False) is None
    daemon.executor.answers.clear()  # from now on every order goes well
    daemon.steps_until(lambda: daemon.supervisor._end_of_run(is_once=False) == "drain")
    assert daemon.counts() == {"queued": 1, "done": 1}


def test_retry_brings_a_failed_job_back(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """The image goes through the gate again, under the same job."""
    daemon = make_daemon(failing(Reason.CORRUPT, is_retryable=False))
    drop(daemon.settings.folders.inbox)
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
    (job,) = daemon.ledger.newest()
    assert answer(daemon, command="retry", job_id=job.id) == {"image": "a.png"}
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert [line["job_id"] for line in lines_of(log, "job_retried")] == [job.id]
    assert daemon.ledger.newest()[0].id == job.id


@pytest.mark.parametrize(
    ("request_keys", "error"),
    [
        ({"command": "retry", "job_id": "0"}, "no job has the id 0"),
        ({"command": "retry", "job_id": 7}, "job_id must be a text, not 7"),
        ({"command": "explode"}, "this daemon knows no such command: "),
        ({}, "this daemon knows no such command: "),
    ],
)
def test_what_cannot_be_done_is_answered_too(
    make_daemon: DaemonFactory, request_keys: dict[str, Any], error: str
) -> None:
    """The caller learns why; the daemon goes on."""
    daemon = make_daemon()
    assert answer(daemon, **request_keys)["error"].startswith(error)
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("method", "event"),
    [("control.ensure_open", "control_unavailable"), ("metrics.write", "metrics_unavailable")],
)
def test_fault_of_a_report_is_logged_once(
    make_daemon: DaemonFactory,
    log: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    event: str,
) -> None:
    """Neither a socket nor a metrics file is worth a pause, or a line at each step."""
    daemon = make_daemon()
    part, name = method.split(".")
    monkeypatch.setattr(getattr(daemon.context, part), name, _refuse)
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    daemon.step(5)
    (line,) = lines_of(log, event)
    assert "Permission denied" in line["message"]
    assert lines_of(log, "paused") == []


def test_faults_are_logged_when_they_change(
    make_daemon: DaemonFactory, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at each step, not when they go, and again when they come back."""
    daemon = make_daemon()
    for faults in [("a",), ("a",), ("a", "b"), (), (), ("a",)]:
        reporter = daemon.supervisor._admin._reporter
        monkeypatch.setattr(reporter, "faults", lambda _, told=faults: told)
        daemon.step()
    assert [line["faults"] for line in lines_of(log, "unhealthy")] == [["a"], ["a", "b"], ["a"]]
