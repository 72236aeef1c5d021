"""Recovery: what a crash or a pause interrupted is finished, and nothing is made twice."""

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import queue
from tests.parts.fake_executor import good, silent
from tests.parts.stepped_daemon import DaemonFactory, SteppedDaemon, lines_of
from zssr_daemon.errors import Reason
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import Settings


def test_missing_archive_delays_the_disposal(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """The output is there already; the source follows when the archive is back."""
    daemon = make_daemon()
    queue(daemon.ledger, daemon.settings)
    daemon.settings.folders.archive.rmdir()
    daemon.supervisor._claim()
    daemon.steps_until(lambda: lines_of(log, "paused"))
    daemon.settings.folders.archive.mkdir()
    daemon.steps_until(lambda: lines_of(log, "resumed") and daemon.counts() == {"done": 1})
    daemon.steps_until(lambda: daemon.files().get("archive") == ["a.png"])
    assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}


def test_start_without_a_folder(make_daemon: DaemonFactory) -> None:
    """What a crash left is finished as soon as the folder is there, and not before."""
    daemon = make_daemon(silent)
    queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.executor.orders)
    output = daemon.settings.folders.output
    output.rename(output.with_name("away"))
    successor = make_daemon()
    (successor.settings.folders.output).rmdir()  # made by the settings of this test
    successor.supervisor._begin()
    successor.step(10)
    assert successor.counts() == {"running": 1}
    output.with_name("away").rename(output)
    successor.steps_until(lambda: successor.counts() == {"done": 1})
    assert successor.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
    assert successor.ledger.newest()[0].attempts == 2


@pytest.mark.usefixtures("ledger")
def test_full_ledger_disk(settings: Settings, log: list[Any]) -> None:
    """When the end of a job cannot be recorded, it is finished once it can be: one output."""
    db = sqlite3.connect(settings.folders.state / LEDGER_NAME, isolation_level=None)
    daemon = SteppedDaemon(settings, Ledger(db), silent)
    queue(daemon.ledger, settings)
    daemon.steps_until(lambda: daemon.executor.orders)
    db.execute("PRAGMA query_only = ON")  # writing fails from here on
    daemon.executor.answers[0] = good
    daemon.steps_until(lambda: lines_of(log, "paused"))
    daemon.step(20)
    db.execute("PRAGMA query_only = OFF")
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    daemon.steps_until(lambda: lines_of(log, "resumed"))
    assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
    daemon.close()
    daemon.ledger.close()


def test_disk_fails_after_the_output_has_its_name(
    make_daemon: DaemonFactory, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is finished with the output it has; it is not made a second time."""
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
    daemon.steps_until(lambda: lines_of(log, "paused"))
    assert daemon.counts() == {"publishing": 1}
    daemon.steps_until(lambda: daemon.files().get("archive") == ["a.png"])
    assert daemon.files() == {"output": ["a_x2.png"], "archive": ["a.png"]}
    assert len(daemon.executor.orders) == 1
    done = lines_of(log, "job_done")
    assert [(line["output"], line["recovered"]) for line in done] == [("a_x2.png", True)]


def test_end_that_a_crash_kept_from_the_log(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """The next daemon logs the end of a job whose line a crash prevented."""
    daemon = make_daemon()
    job = queue(daemon.ledger, daemon.settings)
    daemon.ledger.fail(job.id, now=0.0, reason=Reason.CORRUPT, message="broken")
    successor = make_daemon()
    assert successor.supervisor.run(is_once=True)
    assert [line["reason"] for line in lines_of(log, "job_failed")] == ["corrupt"]
    assert successor.files() == {"failed": ["a.png", "a.png.error.json"]}


def test_running_job_of_a_dead_daemon(make_daemon: DaemonFactory) -> None:
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


def test_daemon_that_dies_each_time(make_daemon: DaemonFactory) -> None:
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
