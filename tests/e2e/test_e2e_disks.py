"""Disks that are full, read-only or gone: the queue waits, no attempt counts, nothing is lost.

Where a disk must fail while a job runs, the worker is held by SIGSTOP meanwhile.
"""

import itertools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.parts.daemon_process import (
    DATA,
    DaemonProcess,
    command,
    files,
    is_alive,
    lines,
    prepare,
    wait_until,
)
from tests.parts.small_disk import RenumberedDisk, SmallDisk
from zssr_daemon.folders.inbox_lock import InboxLock
from zssr_daemon.folders.markers import MARKER_NAME
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger

pytestmark = pytest.mark.e2e

BUTTERFLY = DATA / "butterfly_lr.png"
DISK_BYTES = 2 << 20  # about nine results

DiskMaker = Callable[..., SmallDisk]


@pytest.fixture
def make_disk() -> Iterator[DiskMaker]:
    """Return a maker of small disks, which are unmounted after the test."""
    disks: list[SmallDisk] = []

    def make(path: Path, size_bytes: int = DISK_BYTES) -> SmallDisk:
        disks.append(SmallDisk(path, size_bytes))
        return disks[-1]

    yield make
    for disk in disks:
        disk.destroy()


def drop(inbox: Path, *names: str) -> None:
    """Drop the butterfly under each name."""
    for name in names:
        shutil.copy(BUTTERFLY, inbox / f"{name}.png")


@contextmanager
def held_worker(daemon: DaemonProcess) -> Iterator[None]:
    """Hold the only worker of a daemon that has no file yet, and so has no probe."""
    daemon.wait_for("worker_ready")
    (worker,) = daemon.spawned()
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGCONT)


def parts(folder: Path) -> list[str]:
    """Return the parts of outputs below a folder."""
    return [name for name in files(folder) if name.endswith(".part")]


def shown(folder: Path) -> list[str]:
    """Return the files below a folder without hidden ones, none of which may be a part."""
    assert not parts(folder)
    return [name for name in files(folder) if not Path(name).name.startswith(".")]


def wait_for_pause(daemon: DaemonProcess, reason: str) -> None:
    """Wait for a pause; fail at once where a job ended instead."""
    wait_until(lambda: bool(_told(daemon, "paused", "job_done", "job_failed")), "a pause")
    first = _told(daemon, "paused", "job_done", "job_failed")[0]
    assert (first["event"], first.get("reason")) == ("paused", reason)


def wait_for_done(daemon: DaemonProcess, *names: str) -> None:
    """Wait until each picture is done; fail at once when a job has failed."""
    images = {f"{name}.png" for name in names}

    def are_done() -> bool:
        assert is_alive(daemon.pid)
        assert not _told(daemon, "job_failed")
        return images <= {line["image"] for line in _told(daemon, "job_done")}

    wait_until(are_done, f"the end of {names}")


def _told(daemon: DaemonProcess, *events: str) -> list[dict[str, Any]]:
    return [line for line in daemon.log() if line["event"] in events]


def pauses(log: list[dict[str, Any]]) -> list[str]:
    """Return the reasons of the pauses; each pause and its end are logged once."""
    told = [line["reason"] for line in log if line["event"] in {"paused", "resumed"}]
    assert told[0::2] == told[1::2], "each pause is told once, and its end once"
    return [reason for reason, _ in itertools.groupby(told)]


def assert_all_done(root: Path, *names: str, folders: dict[str, Path] | None = None) -> None:
    """Each picture has one good output and its source in the archive, after one attempt."""
    places = {name: root / name for name in ("inbox", "output", "archive", "failed")}
    places |= folders or {}
    assert shown(places["inbox"]) == []
    assert shown(places["failed"]) == []
    assert shown(places["output"]) == [f"{name}_x2.png" for name in names]
    assert shown(places["archive"]) == [f"{name}.png" for name in names]
    for name in names:
        assert (places["archive"] / f"{name}.png").read_bytes() == BUTTERFLY.read_bytes()
        with Image.open(places["output"] / f"{name}_x2.png") as result:
            result.load()
            assert result.size == (256, 256)
    ledger = Ledger.open_to_read(places.get("state", root / "state"))
    jobs = {(job.src_rel, job.state, job.attempts) for job in ledger.newest()}
    ledger.close()
    assert jobs == {(f"{name}.png", JobState.DONE, 1) for name in names}


@pytest.mark.parametrize(
    ("fails", "mends", "reason"),
    [
        (SmallDisk.fill_nearly, SmallDisk.empty, "disk_full"),
        (SmallDisk.make_read_only, SmallDisk.make_writable, "folder_missing"),
        (SmallDisk.unmount, SmallDisk.mount, "folder_missing"),
    ],
    ids=["full", "read-only", "unmounted"],
)
def test_output_disk_fails_while_a_job_runs(
    tmp_path: Path,
    make_disk: DiskMaker,
    fails: Callable[[SmallDisk], None],
    mends: Callable[[SmallDisk], None],
    reason: str,
) -> None:
    """The queue waits; afterwards the running job and the next are done, in one attempt each."""
    inbox = prepare(tmp_path)
    disk = make_disk(tmp_path / "output")
    with DaemonProcess(tmp_path) as daemon:
        with held_worker(daemon):
            drop(inbox, "a")
            daemon.wait_for("job_started")
            drop(inbox, "b")
            daemon.wait_for("job_queued", image="b.png")
            fails(disk)
        wait_for_pause(daemon, reason)
        assert shown(inbox) == ["a.png", "b.png"]
        # The pause may begin while the worker still writes. Of an unmounted disk, its part lies in
        # the folder below the mount point, and must be gone from there before the disk is back.
        wait_until(lambda: not parts(tmp_path / "output"), "the removal of the part")
        assert shown(tmp_path / "output") == []
        mends(disk)
        wait_for_done(daemon, "a", "b")
    assert_all_done(tmp_path, "a", "b")
    assert pauses(lines(tmp_path)) == [reason]


def test_reserve_is_kept_free(tmp_path: Path, make_disk: DiskMaker) -> None:
    """With less than `min_free_disk_bytes` free nothing is begun, and the reserve stays."""
    inbox = prepare(tmp_path)
    settings = tmp_path / "settings.toml"
    text = settings.read_text()
    settings.write_text(
        text.replace("min_free_disk_bytes = 0", f"min_free_disk_bytes = {DISK_BYTES // 2}")
    )
    disk = make_disk(tmp_path / "output")
    disk.fill(but_bytes=DISK_BYTES // 4)
    drop(inbox, "photo")
    with DaemonProcess(tmp_path) as daemon:
        wait_for_pause(daemon, "disk_full")
        assert shown(tmp_path / "output") == []
        disk.empty()
        wait_for_done(daemon, "photo")
    assert_all_done(tmp_path, "photo")
    assert pauses(lines(tmp_path)) == ["disk_full"]


def test_ledgers_disk_full(tmp_path: Path, make_disk: DiskMaker) -> None:
    """A commit that finds no room, at the end of a job or before it, pauses the queue."""
    disk = make_disk(tmp_path / "ledger")
    inbox = prepare(tmp_path, more="[folders]\nstate = 'ledger'\n")
    (tmp_path / "state").mkdir()  # the log stays readable
    with DaemonProcess(tmp_path) as daemon:
        with held_worker(daemon):
            drop(inbox, "a")
            daemon.wait_for("job_started")
            disk.fill()
            drop(inbox, "b")
        wait_for_pause(daemon, "disk_full")
        assert shown(inbox) == ["a.png", "b.png"]
        disk.empty()
        wait_for_done(daemon, "a", "b")
    assert_all_done(tmp_path, "a", "b", folders={"state": disk.path})


def test_archive_disk_full(tmp_path: Path, make_disk: DiskMaker) -> None:
    """The output is there, and its source stays in the inbox until the archive has room."""
    inbox = prepare(tmp_path)
    disk = make_disk(tmp_path / "archive")
    disk.fill(but_bytes=8192)  # room for a name, and for a beginning
    drop(inbox, "photo")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("paused", reason="disk_full")
        assert (inbox / "photo.png").read_bytes() == BUTTERFLY.read_bytes()
        assert shown(tmp_path / "output") == ["photo_x2.png"]
        disk.empty()
        daemon.wait_for("resumed")
        wait_until(lambda: shown(inbox) == [], "the source to be moved")
    assert_all_done(tmp_path, "photo")


def test_failed_folders_disk_full(tmp_path: Path, make_disk: DiskMaker) -> None:
    """First the bad file has no room, then its record; in the end both are there and whole."""
    inbox = prepare(tmp_path)
    disk = make_disk(tmp_path / "failed")
    disk.fill()
    text = b"no picture " * 370  # less than a page
    (inbox / "bad.png").write_bytes(text)
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("paused", reason="disk_full")
        assert (inbox / "bad.png").read_bytes() == text
        disk.fill(but_bytes=2 * os.sysconf("SC_PAGE_SIZE"))  # for the folder's mark and the file
        wait_until(lambda: shown(inbox) == [], "the file to be moved")
        assert (disk.path / "bad.png").read_bytes() == text
        disk.empty()
        record = disk.path / "bad.png.error.json"
        wait_until(record.is_file, "the record")
        drop(inbox, "photo")
        daemon.wait_for("job_done", image="photo.png")
    assert b"unsupported_format" in record.read_bytes()
    assert shown(disk.path) == ["bad.png", "bad.png.error.json"]
    assert shown(tmp_path / "output") == ["photo_x2.png"]


@pytest.mark.parametrize("what_is_left", ["no folder", "an empty folder"])
def test_inbox_unmounted_in_mid_queue(
    tmp_path: Path, make_disk: DiskMaker, what_is_left: str
) -> None:
    """Files that went with their disk were not taken away: all are done once it is back."""
    disk = make_disk(tmp_path / "share")
    inbox = disk.path / "inbox" if what_is_left == "no folder" else disk.path
    prepare(tmp_path, more=f"[folders]\ninbox = '{inbox}'\n")
    inbox.mkdir(exist_ok=True)
    with DaemonProcess(tmp_path) as daemon:
        with held_worker(daemon):
            drop(inbox, "a")
            daemon.wait_for("job_started")
            drop(inbox, "b", "c")
            for name in ("b", "c"):
                daemon.wait_for("job_queued", image=f"{name}.png")
            disk.unmount()
        wait_for_pause(daemon, "folder_missing")
        disk.mount()
        wait_for_done(daemon, "a", "b", "c")
    assert_all_done(tmp_path, "a", "b", "c", folders={"inbox": inbox})
    assert pauses(lines(tmp_path)) == ["folder_missing"]


def test_start_while_the_inbox_is_not_mounted(tmp_path: Path, make_disk: DiskMaker) -> None:
    """After a boot without the share the queue waits for it, and gives no job up."""
    disk = make_disk(tmp_path / "inbox")
    inbox = prepare(tmp_path)
    with DaemonProcess(tmp_path) as daemon, held_worker(daemon):
        drop(inbox, "a", "b")
        for name in ("a", "b"):
            daemon.wait_for("job_queued", image=f"{name}.png")
        daemon.send(signal.SIGTERM)
        daemon.wait_for("daemon_stopping")
        daemon.send(signal.SIGTERM)  # at once: the worker is held
        assert daemon.exit_code() == 0
    disk.unmount()
    with DaemonProcess(tmp_path) as daemon:
        wait_for_pause(daemon, "folder_missing")
        disk.mount()
        wait_for_done(daemon, "a", "b")
    assert_all_done(tmp_path, "a", "b")


def test_start_on_a_read_only_disk(tmp_path: Path, make_disk: DiskMaker) -> None:
    """A fault that can pass does not keep the daemon from starting; it waits for the end of it."""
    disk = make_disk(tmp_path / "output")
    drop(prepare(tmp_path), "photo")
    disk.make_read_only()
    with DaemonProcess(tmp_path) as daemon:
        wait_for_pause(daemon, "folder_missing")
        disk.make_writable()
        wait_for_done(daemon, "photo")
    assert_all_done(tmp_path, "photo")


def test_read_only_inbox(tmp_path: Path, make_disk: DiskMaker) -> None:
    """With `keep` nothing is written there; what failed stays too, and is not tried again."""
    disk = make_disk(tmp_path / "inbox")
    inbox = prepare(tmp_path, more="[output]\non_success = 'keep'\n")
    drop(inbox, "photo")
    (inbox / "bad.png").write_bytes(b"no picture")
    disk.make_read_only()
    for exit_code in (1, 0):
        with DaemonProcess(tmp_path, "--once") as daemon:
            assert daemon.exit_code() == exit_code
    assert shown(inbox) == ["bad.png", "photo.png"]
    assert not (inbox / MARKER_NAME).exists()
    assert shown(tmp_path / "output") == ["photo_x2.png"]
    assert shown(tmp_path / "failed") == ["bad.png.error.json"]
    assert pauses(lines(tmp_path)) == []
    prepare(tmp_path)
    refused = command(tmp_path, "run", "--once")
    assert refused.returncode == 78
    assert 'set on_success = "keep"' in refused.stderr


def test_second_daemon_on_an_inbox(tmp_path: Path) -> None:
    """With its own state folder and through a link: it is refused before it touches anything."""
    inbox = prepare(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    prepare(other, more="[folders]\ninbox = 'link'\n")
    (other / "link").symlink_to(inbox)
    lock = InboxLock(inbox)
    lock.take()
    drop(inbox, "photo")
    refused = command(other, "run", "--once")
    lock.release()
    assert refused.returncode == 75
    assert "another zssr-daemon works on it" in refused.stderr
    assert files(inbox) == ["photo.png"]


def test_all_results_on_another_file_system(tmp_path: Path, make_disk: DiskMaker) -> None:
    """Good and bad files are copied to the other file system, whole and into their sub-folders."""
    disk = make_disk(tmp_path / "other")
    places = {name: disk.path / name for name in ("output", "archive", "failed")}
    more = "".join(f"{name} = '{path}'\n" for name, path in places.items())
    inbox = prepare(tmp_path, more=f"[folders]\n{more}")
    (inbox / "sub").mkdir()
    drop(inbox, "a", "sub/b")
    (inbox / "sub" / "bad.png").write_text("no picture")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
    assert shown(inbox) == []
    assert shown(places["output"]) == ["a_x2.png", "sub/b_x2.png"]
    assert shown(places["archive"]) == ["a.png", "sub/b.png"]
    assert shown(places["failed"]) == ["sub/bad.png", "sub/bad.png.error.json"]
    assert (places["archive"] / "sub" / "b.png").read_bytes() == BUTTERFLY.read_bytes()


def test_inbox_comes_back_under_another_device_number(tmp_path: Path) -> None:
    """Kept pictures are recognised after a boot, though their disk has another number."""
    disk = RenumberedDisk(tmp_path / "inbox")
    try:
        prepare(tmp_path, more="[output]\non_success = 'keep'\n")
        for names in (("a", "b"), ("c",)):
            drop(disk.path, *names)
            with DaemonProcess(tmp_path, "--once") as daemon:
                assert daemon.exit_code() == 0
            disk.mount_again()
        assert shown(disk.path) == ["a.png", "b.png", "c.png"]
    finally:
        disk.destroy()
    assert shown(tmp_path / "output") == ["a_x2.png", "b_x2.png", "c_x2.png"]
