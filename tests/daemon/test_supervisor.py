"""The supervisor: every input ends as one output or one failed record, and nothing stops it.

Files, folders, ledger and probe are real; only the executor is a double.
"""

import errno
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.parts.daemon_parts import (
    HOSTILE_NAMES,
    context_of,
    drop,
    files_in,
    identity_of,
    queue,
    wait_until,
)
from tests.parts.fake_executor import Answer, FakeExecutor, dying, failing, good, silent
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.daemon import pause as pause_module
from zssr_daemon.daemon import recovery as recovery_module
from zssr_daemon.daemon.control_socket import ControlSocket
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.daemon.supervisor import Supervisor
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import WorkerEnd, WorkerEnded
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system import safe_open
from zssr_daemon.system.safe_open import open_source

Bench = Callable[..., "Daemon"]


class Daemon:
    """A supervisor with a fake executor, stepped by the test."""

    def __init__(self, settings: Settings, ledger: Ledger, *answers: Answer) -> None:
        self.settings = settings
        self.ledger = ledger
        self.executor = FakeExecutor(*answers)
        self.signals = Signals()
        self.control = ControlSocket(settings.folders.state)
        self.context = context_of(settings, self.signals, self.control)
        self.supervisor = Supervisor(settings, ledger, self.executor, self.context)

    def steps_until(self, condition: Callable[[], object]) -> None:
        """Step on real time until something is true."""

        def step() -> object:
            self.supervisor.step(time.monotonic())
            return condition()

        wait_until(step)

    def counts(self) -> dict[str, int]:
        """Count the jobs by state, leaving out states without any."""
        return {str(state): count for state in JobState if (count := self.ledger.count(state))}

    def files(self) -> dict[str, list[str]]:
        """List the files of the folders that hold any."""
        folders = self.settings.folders.by_name()
        found = {name: files_in(folders[name]) for name in folders if name != "state"}
        return {name: files for name, files in found.items() if files}


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pause_module, "_CHECK_S", 0.05)
    monkeypatch.setattr(recovery_module, "_DISPOSAL_RETRY_S", 0.05)


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """Capture what is logged."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def make_daemon(make_settings: SettingsFactory, ledger: Ledger) -> Iterator[Bench]:
    """Return a maker of daemons; `tables` replaces settings."""
    made: list[Daemon] = []

    def make(*answers: Answer, **tables: dict[str, Any]) -> Daemon:
        made.append(Daemon(make_settings(**tables), ledger, *answers))
        return made[-1]

    yield make
    for daemon in made:
        daemon.supervisor._intake.stop()
        daemon.control.close()
        daemon.signals.close()


def told(log: list[Any], event: str) -> list[Any]:
    """Return the log lines of one event."""
    return [line for line in log if line["event"] == event]


class TestOneImage:
    """What becomes of a single file."""

    def test_from_inbox_to_archive(self, make_daemon: Bench, log: list[Any]) -> None:
        """A drained inbox leaves an output, an archived source, and one line for each event."""
        daemon = make_daemon()
        drop(daemon.settings.folders.inbox, "sub/a.png")
        assert daemon.supervisor.run(is_once=True)
        assert daemon.files() == {"output": ["sub/a_x2.png"], "archive": ["sub/a.png"]}
        assert daemon.counts() == {"done": 1}
        events = [line["event"] for line in log]
        assert events == ["job_queued", "job_started", "job_done", "daemon_stopping"]
        assert {line["image"] for line in log if "image" in line} == {"sub/a.png"}
        assert [line["attempt"] for line in log if "attempt" in line] == [0, 1, 1]
        assert told(log, "job_done")[0]["disposal"] == "archive"

    def test_hostile_names(self, make_daemon: Bench, log: list[Any]) -> None:
        """All of them together go through, and every line can be printed."""
        daemon = make_daemon()
        for name in HOSTILE_NAMES:
            drop(daemon.settings.folders.inbox, name)
        assert daemon.supervisor.run(is_once=True)
        assert daemon.counts() == {"done": len(HOSTILE_NAMES)}
        assert [len(files) for files in daemon.files().values()] == [len(HOSTILE_NAMES)] * 2
        for line in log:
            json.dumps(line, ensure_ascii=False).encode("utf-8")

    def test_hostile_names_fail_as_well(self, make_daemon: Bench) -> None:
        """Each of them gets its record."""
        daemon = make_daemon()
        for name in HOSTILE_NAMES:
            (daemon.settings.folders.inbox / name).write_bytes(b"\x89PNG\r\n\x1a\n broken")
        assert not daemon.supervisor.run(is_once=True)
        assert daemon.counts() == {"failed": len(HOSTILE_NAMES)}
        assert len(daemon.files()["failed"]) == 2 * len(HOSTILE_NAMES)
        assert list(daemon.files()) == ["failed"]

    def test_special_files_are_refused(self, make_daemon: Bench, tmp_path: Path) -> None:
        """Link and fifo end in failed/ without being read; a text stays where it is."""
        daemon = make_daemon()
        inbox = daemon.settings.folders.inbox
        (tmp_path / "secret.png").write_bytes(b"secret")
        (inbox / "link.png").symlink_to(tmp_path / "secret.png")
        os.mkfifo(inbox / "fifo.png")
        (inbox / "notes.txt").write_text("notes")
        assert not daemon.supervisor.run(is_once=True)
        assert {job.reason for job in daemon.ledger.newest()} == {"unsafe_file"}
        assert daemon.files() == {
            "inbox": ["notes.txt"],
            "failed": ["fifo.png", "fifo.png.error.json", "link.png", "link.png.error.json"],
        }

    def test_empty_file_holds_nothing_up(self, make_daemon: Bench) -> None:
        """It may still be written to, so it is neither failed nor waited for."""
        daemon = make_daemon()
        (daemon.settings.folders.inbox / "empty.png").touch()
        drop(daemon.settings.folders.inbox)
        assert daemon.supervisor.run(is_once=True)
        assert daemon.files()["inbox"] == ["empty.png"]
        assert daemon.counts() == {"done": 1}

    def test_kept_source_is_done_once(self, make_daemon: Bench) -> None:
        """With `keep`, neither a later scan nor a restart does it again; new content does."""
        keep = {"on_success": "keep"}
        for _ in range(2):
            daemon = make_daemon(output=keep)
            if not daemon.counts():
                drop(daemon.settings.folders.inbox)
            daemon.supervisor.run(is_once=True)
            assert daemon.counts() == {"done": 1}
        drop(daemon.settings.folders.inbox, size=(9, 9))
        make_daemon(output=keep).supervisor.run(is_once=True)
        assert daemon.counts() == {"done": 2}


class TestFaults:
    """A fault costs an attempt, or a job, and nothing else."""

    def test_retry_then_success(self, make_daemon: Bench, log: list[Any]) -> None:
        """Each attempt has its number; no part of a failed one is left."""
        daemon = make_daemon(failing(Reason.OUT_OF_MEMORY), dying, good)
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        assert [line["reason"] for line in told(log, "job_retry")] == [
            "out_of_memory",
            "worker_crash",
        ]
        assert [Path(order.part).name[-7:] for order in daemon.executor.orders] == [
            ".1.part",
            ".2.part",
            ".3.part",
        ]
        assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}

    def test_waits_double(self, make_daemon: Bench, log: list[Any]) -> None:
        """The back-off grows with the attempts."""
        limits = {"max_attempts": 5, "retry_after_s": 0.01}
        daemon = make_daemon(*[dying] * 4, limits=limits)
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        assert [line["next_attempt_s"] for line in told(log, "job_retry")] == [
            round(0.01 * 2**n, 1) for n in range(4)
        ]

    def test_attempts_end(self, make_daemon: Bench, log: list[Any]) -> None:
        """After `max_attempts` the file is set aside, with the last reason."""
        daemon = make_daemon(*[dying] * 9, limits={"max_attempts": 2})
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
        (line,) = told(log, "job_failed")
        assert (line["reason"], line["attempts"]) == ("worker_crash", 2)
        assert daemon.files() == {"failed": ["a.png", "a.png.error.json"]}

    def test_permanent_fault_is_not_tried_again(self, make_daemon: Bench) -> None:
        """What the file itself is at fault for stays so."""
        daemon = make_daemon(failing(Reason.TRUNCATED, is_retryable=False))
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
        assert len(daemon.executor.orders) == 1

    def test_poison_delays_nobody(self, make_daemon: Bench) -> None:
        """While one job fails again and again, the others are done."""
        daemon = make_daemon(dying, limits={"retry_after_s": 1000.0})
        queue(daemon.ledger, daemon.settings, "poison.png")
        for number in range(3):
            queue(daemon.ledger, daemon.settings, f"{number}.png")
        daemon.steps_until(lambda: daemon.counts() == {"done": 3, "queued": 1})

    @pytest.mark.parametrize("folder", ["output", "archive", "failed"])
    def test_file_where_a_folder_should_be(
        self, make_daemon: Bench, folder: str, log: list[Any]
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
        assert told(log, "paused") == []
        first, second = daemon.ledger.find("")
        assert second.disposal == "archive"
        if folder == "output":
            assert (first.state, first.reason) == (JobState.FAILED, "io_error")
        else:
            assert first.disposal is None
            assert told(log, "disposal_delayed")
            assert daemon.files()["inbox"] == ["sub/a.png"]
            blocker.unlink()
            daemon.steps_until(lambda: daemon.ledger.get(first.id).disposal == folder)
            daemon.steps_until(lambda: "inbox" not in daemon.files())

    def test_part_that_is_missing(self, make_daemon: Bench) -> None:
        """A worker that claims what is not there is not believed without end."""

        def lying(order: Any) -> list[Any]:
            events = good(order)
            Path(order.part).unlink()
            return list(events)

        daemon = make_daemon(*[lying] * 5, limits={"max_attempts": 2})
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
        assert daemon.ledger.newest()[0].reason == "io_error"


class TestChanges:
    """The inbox belongs to its users, also while we work."""

    def test_source_taken_away_before_its_turn(self, make_daemon: Bench) -> None:
        """The job ends as failed, with a reason of its own."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        (daemon.settings.folders.inbox / "a.png").unlink()
        daemon.steps_until(lambda: daemon.counts() == {"failed": 1})
        assert daemon.ledger.newest()[0].reason == "source_gone"
        assert daemon.files() == {}

    def test_source_replaced_while_running(self, make_daemon: Bench) -> None:
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

    def test_source_touched_while_running(self, make_daemon: Bench, log: list[Any]) -> None:
        """A share's own house-keeping changes times, not pictures: the work is not thrown away."""

        def touching(order: Any) -> list[Any]:
            events = list(good(order))
            os.utime(Path(order.inbox) / order.src_rel, (1, 1))
            return events

        daemon = make_daemon(touching)
        drop(daemon.settings.folders.inbox, "a.png")
        assert daemon.supervisor.run(is_once=True)
        assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
        assert len(daemon.executor.orders) == len(told(log, "job_queued")) == 1

    def test_source_touched_before_the_worker_looks(self, make_daemon: Bench) -> None:
        """The job goes back without an attempt lost, and knows its file by the new time."""

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

    def test_source_changed_says_the_worker(self, make_daemon: Bench) -> None:
        """It noticed first: back to settling, no attempt is lost, no failure recorded."""
        daemon = make_daemon(failing(Reason.SOURCE_CHANGED))
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        assert daemon.ledger.newest()[0].attempts == 1
        assert "failed" not in daemon.files()

    def test_output_name_is_taken_meanwhile(self, make_daemon: Bench) -> None:
        """Whoever took it keeps it."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        (daemon.settings.folders.output / "a_x2.png").write_text("the user's")
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        (job,) = daemon.ledger.newest()
        assert job.out_rel == f"a_x2-{job.id[:8]}.png"
        assert (daemon.settings.folders.output / "a_x2.png").read_text() == "the user's"


class TestPauses:
    """When disks or folders fail, no job is to blame."""

    def test_missing_output_folder(self, make_daemon: Bench, log: list[Any]) -> None:
        """One line when it goes, one when it is back; the attempt is not counted."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        output = daemon.settings.folders.output
        output.rmdir()
        daemon.steps_until(lambda: told(log, "paused"))
        for _ in range(30):
            daemon.supervisor.step(time.monotonic())
        assert not output.exists()
        assert daemon.counts() == {"queued": 1}
        output.mkdir()
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        assert [line["reason"] for line in told(log, "paused")] == ["folder_missing"]
        assert [line["reason"] for line in told(log, "resumed")] == ["folder_missing"]
        assert daemon.ledger.newest()[0].attempts == 1

    @pytest.mark.parametrize("name", ["sub/a.png", "a.png"])
    @pytest.mark.parametrize("answer", [good, dying, failing(), failing(Reason.SOURCE_CHANGED)])
    def test_output_folder_goes_while_running(
        self, make_daemon: Bench, name: str, answer: Answer
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
        for _ in range(10):
            daemon.supervisor.step(time.monotonic())
        assert not output.exists()
        output.mkdir()
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        assert list(daemon.files()) == ["output", "archive"]

    def test_missing_archive_delays_the_disposal(self, make_daemon: Bench, log: list[Any]) -> None:
        """The output is there already; the source follows as soon as it can."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        daemon.settings.folders.archive.rmdir()
        daemon.supervisor._claim()
        daemon.steps_until(lambda: told(log, "paused"))
        daemon.settings.folders.archive.mkdir()
        daemon.steps_until(lambda: told(log, "resumed") and daemon.counts() == {"done": 1})
        daemon.steps_until(lambda: daemon.files().get("archive") == ["a.png"])
        assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}

    def test_missing_inbox_loses_no_job(self, make_daemon: Bench, log: list[Any]) -> None:
        """An unmounted inbox is a pause, not a mass deletion."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        inbox = daemon.settings.folders.inbox
        away = inbox.rename(inbox.with_name("away"))
        daemon.steps_until(lambda: told(log, "paused"))
        for _ in range(10):
            daemon.supervisor.step(time.monotonic())
        assert daemon.counts() == {"queued": 1}
        away.rename(inbox)
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})

    def test_lost_device(self, make_daemon: Bench, log: list[Any]) -> None:
        """Told once, with what the worker said; the queue goes on when a device is back."""
        daemon = make_daemon()
        daemon.executor.has_device = False
        queue(daemon.ledger, daemon.settings)
        daemon.executor.tell(WorkerEnded(WorkerEnd.DEVICE_LOST, None, "no such card"))
        daemon.steps_until(lambda: told(log, "paused"))
        for _ in range(30):
            daemon.supervisor.step(time.monotonic())
        assert daemon.counts() == {"queued": 1}
        daemon.executor.has_device = True
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        (paused,) = told(log, "paused")
        assert (paused["reason"], paused["message"]) == ("device_lost", "no such card")
        assert [line["reason"] for line in told(log, "resumed")] == ["device_lost"]
        assert daemon.ledger.newest()[0].attempts == 1

    def test_start_without_a_folder(self, make_daemon: Bench) -> None:
        """What a crash left is made good as soon as the folder is there, and not before."""
        daemon = make_daemon(silent)
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.executor.orders)
        output = daemon.settings.folders.output
        output.rename(output.with_name("away"))
        successor = make_daemon()
        (successor.settings.folders.output).rmdir()  # made by the settings of this test
        successor.supervisor._begin()
        for _ in range(10):
            successor.supervisor.step(time.monotonic())
        assert successor.counts() == {"running": 1}
        output.with_name("away").rename(output)
        successor.steps_until(lambda: successor.counts() == {"done": 1})
        assert successor.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
        assert successor.ledger.newest()[0].attempts == 2

    def test_no_space_for_the_output(
        self, make_daemon: Bench, log: list[Any], tmp_path: Path
    ) -> None:
        """The queue waits and says for how many bytes; nothing is failed."""
        free = shutil.disk_usage(tmp_path).free
        daemon = make_daemon(limits={"min_free_disk_bytes": free * 2})
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: told(log, "paused"))
        assert told(log, "paused")[0]["reason"] == "disk_full"
        job = daemon.ledger.newest()[0]
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        assert daemon.executor.orders == []

    def test_one_job_too_large_for_the_disk(self, make_daemon: Bench, log: list[Any]) -> None:
        """It waits, its attempt given back; smaller ones behind it are done, and nothing pauses."""
        daemon = make_daemon(limits={"max_output_pixels": 10**15})
        path = drop(daemon.settings.folders.inbox, "big.png")
        big = daemon.ledger.add(
            "big.png", identity_of(path), now=0.0, width=10_000_000, height=10_000_000
        )
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.counts() == {"queued": 1, "done": 1})
        waiting = daemon.ledger.get(big.id)
        assert (waiting.state, waiting.attempts) == (JobState.QUEUED, 0)
        assert waiting.not_before > time.time()
        (line,) = told(log, "job_retry")
        assert (line["job_id"], line["reason"]) == (big.id, "disk_full")
        assert told(log, "paused") == []

    @pytest.mark.usefixtures("ledger")
    def test_full_ledger_disk(self, settings: Settings, log: list[Any]) -> None:
        """When the end of a job cannot be recorded, it is finished once it can be: one output."""
        db = sqlite3.connect(settings.folders.state / LEDGER_NAME, isolation_level=None)
        daemon = Daemon(settings, Ledger(db), silent)
        queue(daemon.ledger, settings)
        daemon.steps_until(lambda: daemon.executor.orders)
        db.execute("PRAGMA query_only = ON")  # writing fails from here on
        daemon.executor.answers[0] = good
        daemon.steps_until(lambda: told(log, "paused"))
        for _ in range(20):
            daemon.supervisor.step(time.monotonic())
        db.execute("PRAGMA query_only = OFF")
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        daemon.steps_until(lambda: told(log, "resumed"))
        assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
        daemon.supervisor._intake.stop()
        daemon.control.close()
        daemon.ledger.close()

    def test_disk_fails_after_the_output_has_its_name(
        self, make_daemon: Bench, log: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The output is finished, not made a second time beside itself."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        link, fsync = os.link, os.fsync

        def failing_fsync(fd: int) -> None:
            monkeypatch.setattr(os, "fsync", fsync)
            raise OSError(errno.EIO, "Input/output error")  # no disk here can be made to

        def link_then_fail(source: Path, target: Path) -> None:
            link(source, target)
            monkeypatch.setattr(os, "fsync", failing_fsync)

        monkeypatch.setattr(os, "link", link_then_fail)
        daemon.steps_until(lambda: told(log, "paused"))
        assert daemon.counts() == {"publishing": 1}
        daemon.steps_until(lambda: daemon.files().get("archive") == ["a.png"])
        assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
        assert len(daemon.executor.orders) == 1
        done = told(log, "job_done")
        assert [(line["output"], line["recovered"]) for line in done] == [("a_x2.png", True)]


class TestStartAndStop:
    """What one process leaves, the next goes on with."""

    def test_end_that_a_crash_kept_from_the_log(self, make_daemon: Bench, log: list[Any]) -> None:
        """Whoever reads the log for a job's end finds it, though the daemon died before it."""
        daemon = make_daemon()
        job = queue(daemon.ledger, daemon.settings)
        daemon.ledger.fail(job.id, now=0.0, reason=Reason.CORRUPT, message="broken")
        successor = make_daemon()
        assert successor.supervisor.run(is_once=True)
        assert [line["reason"] for line in told(log, "job_failed")] == ["corrupt"]
        assert successor.files() == {"failed": ["a.png", "a.png.error.json"]}

    def test_running_job_of_a_dead_daemon(self, make_daemon: Bench) -> None:
        """Its attempt stays counted, its part is removed, and it is done."""
        daemon = make_daemon(silent)
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.executor.orders)
        part = Path(daemon.executor.orders[0].part)
        daemon.steps_until(part.exists)
        successor = make_daemon()
        assert successor.supervisor.run(is_once=True)
        assert not part.exists()
        assert successor.ledger.newest()[0].attempts == 2
        assert successor.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}

    def test_daemon_that_dies_each_time(self, make_daemon: Bench) -> None:
        """An image that takes the daemon down is set aside after `max_attempts`."""
        daemon = make_daemon(limits={"max_attempts": 3})
        queue(daemon.ledger, daemon.settings)
        for _ in range(3):
            successor = make_daemon(silent, limits={"max_attempts": 3})
            successor.supervisor._recover()
            successor.steps_until(lambda d=successor: d.executor.orders)  # type: ignore[misc]
        successor = make_daemon(limits={"max_attempts": 3})
        assert not successor.supervisor.run(is_once=True)
        assert successor.counts() == {"failed": 1}

    def test_stop_gives_the_attempt_back(self, make_daemon: Bench) -> None:
        """An ordered stop is nobody's fault; the part is gone and the job waits."""
        daemon = make_daemon(silent)
        queue(daemon.ledger, daemon.settings)
        daemon.steps_until(lambda: daemon.executor.orders)
        daemon.supervisor._shut_down("signal")
        assert daemon.executor.is_cancelled
        job = daemon.ledger.newest()[0]
        assert (job.state, job.attempts) == (JobState.QUEUED, 0)
        assert daemon.files() == {"inbox": ["a.png"]}

    def test_stop_starts_nothing(self, make_daemon: Bench) -> None:
        """What is queued stays queued."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        daemon.signals.stop()
        daemon.supervisor.run()
        assert daemon.executor.orders == []
        assert daemon.counts() == {"queued": 1}

    def test_idle_worker_ends(self, make_daemon: Bench, log: list[Any]) -> None:
        """A worker that dies without a job is told of, and blamed on nobody."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings)
        daemon.executor.tell(WorkerEnded(WorkerEnd.CRASH, None, "exit code -9"))
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        assert [line["reason"] for line in told(log, "worker_restarted")] == ["crash"]
        assert daemon.ledger.newest()[0].attempts == 1

    def test_once_on_an_empty_inbox(self, make_daemon: Bench) -> None:
        """There is nothing to do, and that is well."""
        daemon = make_daemon()
        assert daemon.supervisor.run(is_once=True)
        assert daemon.counts() == {}

    def test_once_says_when_one_failed(self, make_daemon: Bench) -> None:
        """The others are done all the same."""
        daemon = make_daemon(failing(Reason.CORRUPT, is_retryable=False))
        for number in range(3):
            queue(daemon.ledger, daemon.settings, f"{number}.png")
        assert not daemon.supervisor.run(is_once=True)
        assert daemon.counts() == {"done": 2, "failed": 1}


class TestOwnSettings:
    """What an image's own files say when its job begins."""

    def test_fault_ends_that_job_before_any_work(self, make_daemon: Bench, log: list[Any]) -> None:
        """The next one is done; the fault is no attempt of a worker."""
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings, "a.png")
        queue(daemon.ledger, daemon.settings, "b.png")
        (daemon.settings.folders.inbox / "a.toml").write_text("[zssr]\nscale_factor = 0.5")
        daemon.steps_until(lambda: daemon.counts() == {"failed": 1, "done": 1})
        assert [order.src_rel for order in daemon.executor.orders] == ["b.png"]
        (line,) = told(log, "job_failed")
        assert (line["image"], line["reason"]) == ("a.png", "bad_settings")
        assert daemon.files()["failed"] == ["a.png", "a.png.error.json", "a.toml"]

    def test_fault_of_the_disk_is_no_fault_of_theirs(
        self, make_daemon: Bench, log: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The queue waits, no attempt counts, and the image is made by its own settings."""
        faults = [errno.EIO]

        def failing(root: Path, rel: str) -> int:
            if faults and rel == "a.toml":
                raise OSError(faults.pop(), "the disk fails")
            return open_source(root, rel)

        monkeypatch.setattr(safe_open, "open_source", failing)
        daemon = make_daemon()
        queue(daemon.ledger, daemon.settings, "a.png")
        (daemon.settings.folders.inbox / "a.toml").write_text("[zssr]\nscale_factor = 3.0")
        daemon.steps_until(lambda: daemon.counts() == {"done": 1})
        assert [line["reason"] for line in told(log, "job_retry")] == ["folder_missing"]
        assert daemon.ledger.newest()[0].attempts == 1
        assert daemon.files()["output"] == ["a_x3.png"]

    def test_order_is_by_them(self, make_daemon: Bench) -> None:
        """The worker gets what holds for its image, the others what holds for all."""
        daemon = make_daemon()
        text = '[zssr]\nscale_factor = 3.0\n[output]\nquality = 7\nframes = "each"\nreport = true'
        inbox = daemon.settings.folders.inbox
        for name in ("a.png", "b.png"):
            queue(daemon.ledger, daemon.settings, name)
        (inbox / "lens.npy").write_bytes(b"weights")
        kernel = '\n[degradation]\nkernel = "lens.npy"\nkernel_phase = "topleft"'
        (inbox / "b.toml").write_text(text + kernel)
        daemon.steps_until(lambda: daemon.counts() == {"done": 2})
        plain, own = daemon.executor.orders
        assert (plain.config.scale_factor, own.config.scale_factor) == (2.0, 3.0)
        assert (plain.output.quality, own.output.quality) == (95, 7)
        assert (plain.limits.each_frame, own.limits.each_frame) == (False, True)
        assert (plain.kernel, plain.kernel_phase, plain.report_path) == (None, "centred", None)
        assert own.kernel == KernelFile(name="lens.npy", content=b"weights")
        assert own.kernel_phase == "topleft"
        assert own.report_path is not None
        hashes = {job.src_rel: job.settings_hash for job in daemon.ledger.newest()}
        assert hashes["a.png"] != hashes["b.png"]
