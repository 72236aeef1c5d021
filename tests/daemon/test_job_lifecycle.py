"""JobLifecycle: a fault costs an attempt, or a job, or a pause, and nothing else."""

import errno
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import drop, queue
from tests.parts.fake_executor import Answer, dying, failing, good, silent
from tests.parts.small_disk import BadDisk
from tests.parts.stepped_daemon import DaemonFactory, lines_of
from zssr_daemon.daemon.supervisor import RunEnd
from zssr_daemon.errors import Reason
from zssr_daemon.folders.markers import MARKER_NAME
from zssr_daemon.inbox import intake
from zssr_daemon.ledger.job import JobState
from zssr_daemon.protocol.messages import WorkFailed, WorkOrder


def test_retry_then_success(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """Each attempt has its number; no part of a failed one is left."""
    daemon = make_daemon(failing(Reason.OUT_OF_MEMORY), dying, good)
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert [line["reason"] for line in lines_of(log, "job_retry")] == [
        "out_of_memory",
        "worker_crash",
    ]
    assert [Path(order.part).name[-7:] for order in daemon.executor.orders] == [
        ".1.part",
        ".2.part",
        ".3.part",
    ]
    assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}


def test_waits_double(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """The back-off grows with the attempts."""
    limits = {"max_attempts": 5, "retry_after_s": 0.01}
    daemon = make_daemon(*[dying] * 4, limits=limits)
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert [line["next_attempt_s"] for line in lines_of(log, "job_retry")] == [
        round(0.01 * 2**n, 1) for n in range(4)
    ]


def test_attempts_end(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """After `max_attempts` the file is set aside, with the last reason."""
    daemon = make_daemon(*[dying] * 9, limits={"max_attempts": 2})
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
    (line,) = lines_of(log, "job_failed")
    assert (line["reason"], line["attempts"]) == ("worker_crash", 2)
    assert daemon.files() == {"failed": ["a.png", "a.png.error.json"]}


def test_poison_delays_nobody(make_daemon: DaemonFactory) -> None:
    """While one job fails again and again, the others are done."""
    daemon = make_daemon(dying, limits={"retry_after_s": 1000.0})
    queue(daemon.ledger, daemon.settings, "poison.png")
    for number in range(3):
        queue(daemon.ledger, daemon.settings, f"{number}.png")
    daemon.steps_until(lambda: daemon.counts() == {"done": 3, "queued": 1})


@pytest.mark.parametrize("folder", ["output", "archive", "failed"])
def test_file_where_a_folder_should_be(
    make_daemon: DaemonFactory, folder: str, log: list[Any]
) -> None:
    """One sub-folder that cannot be made costs its own images only, and not for ever."""
    answers = [failing(Reason.CORRUPT, is_retryable=False)] if folder == "failed" else []
    daemon = make_daemon(*answers, limits={"max_attempts": 2})
    blocker = daemon.settings.folders.by_name()[folder] / "sub"
    blocker.write_text("the user's")
    queue(daemon.ledger, daemon.settings, "sub/a.png")
    queue(daemon.ledger, daemon.settings, "b.png")
    daemon.steps_until(lambda: "queued" not in daemon.counts() and daemon.executor.has_room())
    daemon.steps_until(lambda: not daemon.ledger.in_state(JobState.RUNNING))
    assert lines_of(log, "paused") == []
    first, second = daemon.ledger.find("")
    assert second.disposal == "archive"
    if folder == "output":
        assert (first.state, first.reason) == (JobState.FAILED, "io_error")
    else:
        assert first.disposal is None
        assert lines_of(log, "disposal_delayed")
        assert daemon.files()["inbox"] == ["sub/a.png"]
        blocker.unlink()
        daemon.steps_until(lambda: daemon.ledger.get(first.id).disposal == folder)
        daemon.steps_until(lambda: "inbox" not in daemon.files())


@pytest.fixture
def bad_disk(tmp_path: Path) -> Iterator[BadDisk]:
    """Return an inbox of whose files one cannot be read, and a folder beside it on a good disk."""
    disk = BadDisk(tmp_path / "bad")
    yield disk
    disk.destroy()


def test_file_on_a_bad_sector(
    make_daemon: DaemonFactory, bad_disk: BadDisk, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real EIO: the run ends, the others are done, the file stays, its record is in failed/."""
    monkeypatch.setattr(intake, "_MIN_WAIT_S", 0.05)
    (bad_disk.path / MARKER_NAME).write_text("token\n")  # a new one would mend the disk's end
    names = {drop(bad_disk.path, f"{number}.png").name for number in range(3)}
    bad = bad_disk.spoil_last()
    daemon = make_daemon(folders={"inbox": bad_disk.path})
    assert not daemon.supervisor.run(is_once=True)
    assert daemon.counts() == {"done": 2, "failed": 1}
    (failed,) = lines_of(log, "job_failed")
    assert (failed["image"], failed["reason"]) == (bad, "unreadable")
    assert len(lines_of(log, "file_delayed")) == 4
    assert daemon.files()["inbox"] == [bad]
    assert daemon.files()["failed"] == [f"{bad}.error.json"]
    assert set(daemon.files()["archive"]) == names - {bad}
    log.clear()
    successor = make_daemon(folders={"inbox": bad_disk.path})
    assert successor.supervisor.run(is_once=True)
    assert lines_of(log, "file_delayed") == lines_of(log, "job_failed") == []


def test_job_that_alone_meets_eio(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """The queue pauses for it three times; then its attempts fail, and the others go on."""
    daemon = make_daemon(*[meeting_eio] * 9, limits={"max_attempts": 2})
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
    assert [line["reason"] for line in lines_of(log, "paused")] == ["folder_missing"] * 3
    (failed,) = lines_of(log, "job_failed")
    assert (failed["reason"], failed["attempts"]) == ("io_error", 2)


def meeting_eio(order: WorkOrder) -> list[Any]:
    """Fail as a worker does that cannot read the source."""
    (failed,) = failing(Reason.IO_ERROR)(order)
    assert isinstance(failed, WorkFailed)
    return [replace(failed, oserror_errno=errno.EIO)]


@pytest.mark.parametrize("name", ["sub/a.png", "a.png"])
@pytest.mark.parametrize("answer", [good, dying, failing(), failing(Reason.SOURCE_CHANGED)])
def test_output_folder_goes_while_running(
    make_daemon: DaemonFactory, name: str, answer: Answer
) -> None:
    """However the attempt ends meanwhile, the job goes on when the folder is back."""
    daemon = make_daemon(silent)
    queue(daemon.ledger, daemon.settings, name)
    output = daemon.settings.folders.output
    daemon.steps_until(lambda: daemon.executor.orders)

    def answer_and_remove(order: Any) -> list[Any]:
        events = list(answer(order))
        shutil.rmtree(output)
        return events

    daemon.executor.answers[0] = answer_and_remove
    daemon.steps_until(lambda: not output.exists())
    daemon.step(10)
    assert not output.exists()
    output.mkdir()
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert list(daemon.files()) == ["output", "archive"]


def test_stop_gives_the_attempt_back(make_daemon: DaemonFactory) -> None:
    """A stop costs no attempt; the part is removed and the job waits."""
    daemon = make_daemon(silent)
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.executor.orders)
    daemon.supervisor._shut_down(RunEnd.SIGNAL)
    assert daemon.executor.is_cancelled
    job = daemon.ledger.newest()[0]
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert daemon.files() == {"inbox": ["a.png"]}
