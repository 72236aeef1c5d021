"""The supervisor: every input ends as one output or one failed record, and nothing stops it."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, drop, no_python, queue
from tests.parts.fake_executor import failing, silent
from tests.parts.stepped_daemon import DaemonFactory, lines_of
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import WorkerEnd, WorkerEnded
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system import start_retry


def test_from_inbox_to_archive(make_daemon: DaemonFactory, log: list[Any]) -> None:
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
    assert lines_of(log, "job_done")[0]["disposal"] == "archive"


def test_hostile_names(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """Files with any of them are done, and every log line can be printed."""
    daemon = make_daemon()
    for name in HOSTILE_NAMES:
        drop(daemon.settings.folders.inbox, name)
    assert daemon.supervisor.run(is_once=True)
    assert daemon.counts() == {"done": len(HOSTILE_NAMES)}
    assert [len(files) for files in daemon.files().values()] == [len(HOSTILE_NAMES)] * 2
    for line in log:
        json.dumps(line, ensure_ascii=False).encode("utf-8")


def test_hostile_names_fail_as_well(make_daemon: DaemonFactory) -> None:
    """Each file gets its record."""
    daemon = make_daemon()
    for name in HOSTILE_NAMES:
        (daemon.settings.folders.inbox / name).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert not daemon.supervisor.run(is_once=True)
    assert daemon.counts() == {"failed": len(HOSTILE_NAMES)}
    assert len(daemon.files()["failed"]) == 2 * len(HOSTILE_NAMES)
    assert list(daemon.files()) == ["failed"]


def test_special_files_are_refused(make_daemon: DaemonFactory, tmp_path: Path) -> None:
    """Link and fifo end in failed/ without being read; a text file stays where it is."""
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


def test_empty_file_holds_nothing_up(make_daemon: DaemonFactory) -> None:
    """It may still be written to, so it is neither failed nor waited for."""
    daemon = make_daemon()
    (daemon.settings.folders.inbox / "empty.png").touch()
    drop(daemon.settings.folders.inbox)
    assert daemon.supervisor.run(is_once=True)
    assert daemon.files()["inbox"] == ["empty.png"]
    assert daemon.counts() == {"done": 1}


def test_kept_source_is_done_once(make_daemon: DaemonFactory) -> None:
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


def test_missing_output_folder(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """One line when it goes, one when it is back; the attempt is not counted."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings)
    output = daemon.settings.folders.output
    output.rmdir()
    daemon.steps_until(lambda: lines_of(log, "paused"))
    daemon.step(30)
    assert not output.exists()
    assert daemon.counts() == {"queued": 1}
    output.mkdir()
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert [line["reason"] for line in lines_of(log, "paused")] == ["folder_missing"]
    assert [line["reason"] for line in lines_of(log, "resumed")] == ["folder_missing"]
    assert daemon.ledger.newest()[0].attempts == 1


def test_missing_inbox_loses_no_job(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """An unmounted inbox is a pause, not a mass deletion."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings)
    inbox = daemon.settings.folders.inbox
    away = inbox.rename(inbox.with_name("away"))
    daemon.steps_until(lambda: lines_of(log, "paused"))
    daemon.step(10)
    assert daemon.counts() == {"queued": 1}
    away.rename(inbox)
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})


def test_lost_device(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """Logged once, with the message of the worker; the queue goes on when a device is back."""
    daemon = make_daemon()
    daemon.executor.has_device = False
    queue(daemon.ledger, daemon.settings)
    daemon.executor.tell(WorkerEnded(WorkerEnd.DEVICE_LOST, None, "no such card"))
    daemon.steps_until(lambda: lines_of(log, "paused"))
    daemon.step(30)
    assert daemon.counts() == {"queued": 1}
    daemon.executor.has_device = True
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    (paused,) = lines_of(log, "paused")
    assert (paused["reason"], paused["message"]) == ("device_lost", "no such card")
    assert [line["reason"] for line in lines_of(log, "resumed")] == ["device_lost"]
    assert daemon.ledger.newest()[0].attempts == 1


def test_workers_that_cannot_start(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """As while the package is replaced: the queue waits for them, and says so."""
    daemon = make_daemon()
    daemon.executor.has_device = False
    queue(daemon.ledger, daemon.settings)
    daemon.executor.tell(WorkerEnded(WorkerEnd.NO_START, None, "exit code 1"))
    daemon.steps_until(lambda: lines_of(log, "paused"))
    daemon.step(10)
    daemon.executor.has_device = True
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    for event in ("paused", "resumed"):
        assert [line["reason"] for line in lines_of(log, event)] == ["children_unavailable"]
    assert daemon.ledger.newest()[0].attempts == 1


def test_probe_that_cannot_start(
    make_daemon: DaemonFactory, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sound picture waits in the inbox until Python is back; it is not failed as corrupt."""
    monkeypatch.setattr(start_retry, "START_RETRY_S", 0.05)
    with no_python():
        daemon = make_daemon()
        drop(daemon.settings.folders.inbox)
        daemon.steps_until(lambda: lines_of(log, "paused"))
        assert lines_of(log, "paused")[0]["reason"] == "children_unavailable"
        daemon.step(10)
        assert daemon.counts() == {}
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    assert [line["reason"] for line in lines_of(log, "resumed")] == ["children_unavailable"]


def test_once_ends_where_no_probe_can_start(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """It does not wait for an installation; the picture stays, and the run was no success."""
    with no_python():
        daemon = make_daemon()
        drop(daemon.settings.folders.inbox)
        assert not daemon.supervisor.run(is_once=True)
    assert lines_of(log, "daemon_stopping")[0]["reason"] == "children_unavailable"
    assert daemon.files() == {"inbox": ["a.png"]}


def test_no_space_for_the_output(
    make_daemon: DaemonFactory, log: list[Any], tmp_path: Path
) -> None:
    """The queue waits, and the log says for how many bytes; no job fails."""
    free = shutil.disk_usage(tmp_path).free
    daemon = make_daemon(limits={"min_free_disk_bytes": free * 2})
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: lines_of(log, "paused"))
    assert lines_of(log, "paused")[0]["reason"] == "disk_full"
    job = daemon.ledger.newest()[0]
    assert (job.state, job.attempts) == (JobState.QUEUED, 0)
    assert daemon.executor.orders == []


def test_stop_starts_nothing(make_daemon: DaemonFactory) -> None:
    """What is queued stays queued."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings)
    daemon.signals.stop()
    daemon.supervisor.run()
    assert daemon.executor.orders == []
    assert daemon.counts() == {"queued": 1}


def test_once_on_an_empty_inbox(make_daemon: DaemonFactory) -> None:
    """There is nothing to do: the run is over, and it went well."""
    daemon = make_daemon()
    assert daemon.supervisor.run(is_once=True)
    assert daemon.counts() == {}


def test_once_says_when_one_failed(make_daemon: DaemonFactory) -> None:
    """The others are done all the same."""
    daemon = make_daemon(failing(Reason.CORRUPT, is_retryable=False))
    for number in range(3):
        queue(daemon.ledger, daemon.settings, f"{number}.png")
    assert not daemon.supervisor.run(is_once=True)
    assert daemon.counts() == {"done": 2, "failed": 1}


def test_folders_are_looked_at_once_a_claim(
    make_daemon: DaemonFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several queued images cost one look each, however many steps the daemon does besides."""
    daemon = make_daemon()
    for number in range(4):
        queue(daemon.ledger, daemon.settings, f"{number}.png")
    looked_at: list[Any] = []
    scandir = os.scandir

    def noting_scandir(path: Any) -> Any:
        looked_at.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noting_scandir)
    daemon.steps_until(lambda: daemon.counts() == {"done": 4})
    looks = {
        name: looked_at.count(path) for name, path in daemon.settings.folders.by_name().items()
    }
    assert looks.pop("inbox") >= 4  # besides, it is scanned for images
    assert looks == {"output": 4, "archive": 4, "failed": 4, "state": 4}


class TestSettingsOfAJob:
    """They are resolved when the job is queued and begun; the ledger keeps them for a restart."""

    @pytest.fixture
    def reads(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """Record the hashes for which settings are read from the ledger."""
        read: list[str] = []
        kept_settings = Ledger.kept_settings

        def noting(ledger: Ledger, settings_hash: str) -> str | None:
            read.append(settings_hash)
            return kept_settings(ledger, settings_hash)

        monkeypatch.setattr(Ledger, "kept_settings", noting)
        return read

    def test_are_not_read_in_one_run(self, make_daemon: DaemonFactory, reads: list[str]) -> None:
        """From gate to archive, also for an image with its own settings, and for a failed one."""
        daemon = make_daemon(failing(), failing(Reason.CORRUPT, is_retryable=False))
        inbox = daemon.settings.folders.inbox
        for name in ("a.png", "b.png", "c.png"):
            drop(inbox, name)
        (inbox / "b.toml").write_text('[output]\nname = "{stem}_own"')
        assert not daemon.supervisor.run(is_once=True)
        assert daemon.counts() == {"done": 2, "failed": 1}
        assert all(job.settings_hash for job in daemon.ledger.newest())
        assert reads == []

    def test_are_read_after_a_restart(self, make_daemon: DaemonFactory, reads: list[str]) -> None:
        """A job whose output had its name already ends as it began, by the settings of then."""
        daemon = make_daemon(silent, output={"on_success": "keep"})
        drop(daemon.settings.folders.inbox)
        daemon.steps_until(lambda: daemon.executor.orders)
        (order,) = daemon.executor.orders
        sha256 = hashlib.sha256(b"enlarged").hexdigest()
        Path(order.part).write_bytes(b"enlarged")
        job = daemon.ledger.publishing(order.job_id, out_rel="a_x2.png", out_sha256=sha256)
        successor = make_daemon(output={"on_success": "archive"})
        assert successor.supervisor.run(is_once=True)
        assert reads == [job.settings_hash]
        assert successor.files() == {"inbox": ["a.png"], "output": ["a_x2.png"]}
        assert successor.executor.orders == []
