"""Disposer: each source leaves the inbox once, replaces nothing, and no crash loses it."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, identity_of, queue
from tests.parts.durable_steps import DurableSteps
from tests.parts.publish_parts import (
    SHA256,
    FileMoves,
    all_files,
    crash_at,
    fail,
    marked,
    publish,
    resume,
    worked,
)
from tests.parts.small_disk import SmallDisk
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.errors import Reason
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.file_names import printable, tagged


@pytest.mark.parametrize(("on_success", "left"), [("keep", ["a.png"]), ("delete", [])])
def test_other_ways_of_disposal(
    make_settings: SettingsFactory, ledger: Ledger, on_success: str, left: list[str]
) -> None:
    """`keep` leaves the source in the inbox, `delete` removes it."""
    settings = make_settings(output={"on_success": on_success})
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    job = publish(publisher, worked(ledger, settings, publisher)[0])
    assert job.disposal == on_success
    assert all_files(settings) == {
        "inbox": left,
        "output": ["a_x2.png"],
        "archive": [],
        "failed": [],
    }


@pytest.mark.parametrize(("mode", "expected"), [(0o600, 0o600), (0o644, 0o644), (0o000, 0o600)])
def test_error_record_is_as_private_as_its_source(
    settings: Settings, ledger: Ledger, publisher: FileMoves, mode: int, expected: int
) -> None:
    """It tells the name and a message, and so no more than the file beside it may."""
    job, _ = worked(ledger, settings, publisher)
    (settings.folders.inbox / "a.png").chmod(mode)
    fail(ledger, publisher, job)
    record = settings.folders.failed / "a.png.error.json"
    assert stat.S_IMODE(record.stat().st_mode) == expected
    assert stat.S_IMODE((settings.folders.failed / "a.png").stat().st_mode) == mode


@pytest.mark.parametrize("on_success", ["archive", "delete"])
def test_source_that_changed_after_publishing_stays(
    make_settings: SettingsFactory, ledger: Ledger, on_success: str
) -> None:
    """New content under the old name is a new picture, and nobody removes it."""
    settings = make_settings(output={"on_success": on_success})
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    job = publisher.publish(worked(ledger, settings, publisher)[0], out_sha256=SHA256)
    (settings.folders.inbox / "a.png").write_bytes(b"new picture")
    publisher.end(job)
    assert all_files(settings)["inbox"] == ["a.png"]
    assert not ledger.is_blocking(job.identity)


def test_no_source_overwrites_an_archived_one(
    settings: Settings, ledger: Ledger, publisher: FileMoves
) -> None:
    """The same name dropped three times is archived three times, also when it is long."""
    name = "x" * 251 + ".png"
    jobs = [publish(publisher, worked(ledger, settings, publisher, name)[0]) for _ in range(3)]
    assert len(all_files(settings)["archive"]) == 3
    assert len(all_files(settings)["output"]) == 3
    expected = {tagged(name, "", reserve_bytes=11)} | {
        tagged(name, f"-{job.id[:8]}", reserve_bytes=11) for job in jobs[1:]
    }
    assert {job.disposal_rel for job in jobs} == expected


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "sub/a.png"])
def test_record_follows_the_final_name(
    settings: Settings, ledger: Ledger, publisher: FileMoves, name: str
) -> None:
    """The first and a second file of that name each have their own record."""
    for _ in range(2):
        job = fail(ledger, publisher, queue(ledger, settings, name))
        assert (job.state, job.disposal) == (JobState.FAILED, "failed")
        assert job.disposal_rel is not None
        record = settings.folders.failed / f"{job.disposal_rel}.error.json"
        assert json.loads(record.read_text(encoding="utf-8")) == {
            "job_id": job.id,
            "image": printable(name),
            "reason": "corrupt",
            "message": "it is broken",
            "attempts": 0,
            "failed_at": 5.0,
        }
    assert len(all_files(settings)["failed"]) == 4
    assert all_files(settings)["inbox"] == []


def test_stale_record_is_replaced(settings: Settings, ledger: Ledger, publisher: FileMoves) -> None:
    """The record of a picture that the user removed does not stay for the next one."""
    first = fail(ledger, publisher, queue(ledger, settings))
    (settings.folders.failed / "a.png").unlink()
    second = fail(ledger, publisher, queue(ledger, settings))
    record = json.loads((settings.folders.failed / "a.png.error.json").read_text())
    assert record["job_id"] == second.id != first.id


def test_source_that_is_gone(settings: Settings, ledger: Ledger, publisher: FileMoves) -> None:
    """There is nothing to move, and no record; the job is over all the same."""
    job = queue(ledger, settings)
    (settings.folders.inbox / "a.png").unlink()
    job = fail(ledger, publisher, job)
    assert job.disposal == "failed"
    assert all_files(settings)["failed"] == []


def test_link_is_moved_not_followed(
    settings: Settings, ledger: Ledger, publisher: FileMoves, tmp_path: Path
) -> None:
    """The target of a link that was refused stays where it is."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    link = settings.folders.inbox / "a.png"
    link.symlink_to(secret)
    job = ledger.add("a.png", identity_of(link), now=0.0)
    fail(ledger, publisher, job)
    assert (settings.folders.failed / "a.png").is_symlink()
    assert secret.read_text() == "secret"
    assert not os.path.lexists(link)


def test_order_of_failing(
    settings: Settings,
    ledger: Ledger,
    publisher: FileMoves,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The record is whole and durable before the job counts as disposed of."""
    job = queue(ledger, settings)
    steps = DurableSteps(monkeypatch, ledger, tmp_path)
    fail(ledger, publisher, job)
    assert steps.calls == [
        "commit disposal_rel",
        "replace inbox/a.png failed/a.png",
        "fsync failed",
        "fsync inbox",
        "fsync failed/.a.png.error.json.part",
        "replace failed/.a.png.error.json.part failed/a.png.error.json",
        "fsync failed",
        "commit disposal",
    ]


def test_crash_at_every_step_of_failing(
    make_settings: SettingsFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the failure is committed, a restart puts source and record into failed/."""
    number, crashed = 1, True
    while crashed:
        settings = make_settings(
            folders={
                name: tmp_path / str(number) / name
                for name in ("inbox", "output", "archive", "failed", "state")
            }
        )
        ledger = Ledger.open(settings.folders.state)
        publisher = FileMoves(settings, ledger, marked(settings, ledger))
        job = queue(ledger, settings)
        crashed = crash_at(
            number,
            monkeypatch,
            lambda ledger=ledger, p=publisher, j=job: fail(ledger, p, j),  # type: ignore[misc]
        )
        ledger.close()
        for _ in range(2):
            assert resume(settings).disposal == "failed"
            assert all_files(settings)["failed"] == ["a.png", "a.png.error.json"]
            assert all_files(settings)["inbox"] == []
        number += 1
    assert number > 7


@pytest.fixture
def inbox_disk(settings: Settings) -> Iterator[SmallDisk]:
    """Return the inbox as a disk of its own."""
    disk = SmallDisk(settings.folders.inbox, 1 << 20)
    yield disk
    disk.destroy()


class TestReadOnlyInbox:
    """Nothing leaves it; what failed has its record in failed/, and can be tried again."""

    @pytest.fixture
    def publisher(
        self,
        make_settings: SettingsFactory,
        ledger: Ledger,
        inbox_disk: SmallDisk,  # noqa: ARG002 (before the folders are marked)
    ) -> FileMoves:
        """Return a publisher whose inbox is to be read only."""
        settings = make_settings(output={"on_success": "keep"})
        return FileMoves(settings, ledger, marked(settings, ledger))

    def test_failed_source_stays(
        self,
        publisher: FileMoves,
        settings: Settings,
        ledger: Ledger,
        inbox_disk: SmallDisk,
    ) -> None:
        """Its record overwrites no other, also when a crash repeats the step."""
        failed = settings.folders.failed
        (failed / "sub").mkdir()
        (failed / "sub" / "a.png.error.json").write_text("of an older a.png")
        job, _ = worked(ledger, settings, publisher, "sub/a.png")
        inbox_disk.make_read_only()
        publisher.discard_part(job)
        publisher.disposer.dispose(
            ledger.fail(job.id, now=5.0, reason=Reason.CORRUPT, message="it is broken")
        )
        job = publisher.end(ledger.get(job.id))
        assert job.disposal == "keep"
        record = f"sub/a-{job.id[:8]}.png"
        assert all_files(settings) == {
            "inbox": ["sub/a.png"],
            "output": [],
            "archive": [],
            "failed": [f"{record}.error.json", "sub/a.png.error.json"],
        }
        assert json.loads((failed / f"{record}.error.json").read_text())["image"] == "sub/a.png"
        assert ledger.is_kept(job.identity)
        assert ledger.kept("sub/a.png", job.identity, None) == job

    def test_retry(
        self,
        publisher: FileMoves,
        settings: Settings,
        ledger: Ledger,
        inbox_disk: SmallDisk,
    ) -> None:
        """The record goes, and the next scan makes another job of the file."""
        job, _ = worked(ledger, settings, publisher)
        inbox_disk.make_read_only()
        fail(ledger, publisher, job)
        assert Retrier(settings.folders, ledger, Markers(ledger)).retry(job.id) == "a.png"
        assert all_files(settings)["failed"] == []
        assert not ledger.is_kept(job.identity)
        assert not ledger.is_blocking(job.identity)

    def test_that_can_be_written_to(
        self, publisher: FileMoves, settings: Settings, ledger: Ledger
    ) -> None:
        """There a failed source is moved, as ever."""
        fail(ledger, publisher, worked(ledger, settings, publisher)[0])
        assert all_files(settings)["failed"] == ["a.png", "a.png.error.json"]
