"""Markers: a folder is told from its empty mount point, on real mounts."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.parts.small_disk import SmallDisk
from tests.parts.tools import tool
from zssr_daemon.folders.markers import MARKER_NAME, Markers
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.mounts import mount_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder to be marked."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def markers(ledger: Ledger) -> Markers:
    """Return the markers of a new ledger."""
    return Markers(ledger)


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """Mount an empty file system on a folder, where that is allowed."""
    command = [tool("mount", package="mount"), "-t", "tmpfs", "-o", "size=1m", "test", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_new_folder_is_marked_for_good(ledger: Ledger, folder: Path) -> None:
    """The first look writes the marker, which says what it is for; a later process finds it."""
    assert Markers(ledger).fault(folder) is None
    text = (folder / MARKER_NAME).read_text()
    assert "leave it here" in text
    assert Markers(ledger).fault(folder) is None
    assert (folder / MARKER_NAME).read_text() == text


def test_emptied_folder_is_marked_anew(markers: Markers, folder: Path) -> None:
    """A folder that was emptied or made again on the same mount is simply marked again."""
    markers.fault(folder)
    (folder / MARKER_NAME).unlink()
    folder.rmdir()
    folder.mkdir()
    assert markers.fault(folder) is None
    assert (folder / MARKER_NAME).exists()


def test_unmounted_folder_is_at_fault(markers: Markers, folder: Path) -> None:
    """The empty mount point is not the folder: nothing is written there, and the cure is named."""
    with mounted(folder):
        assert markers.fault(folder) is None
    fault = markers.fault(folder)
    assert fault is not None
    assert f"it was on {folder}" in fault
    assert f"touch {folder / MARKER_NAME}" in fault
    assert list(folder.iterdir()) == []


def test_folder_that_is_mounted_again(markers: Markers, folder: Path, tmp_path: Path) -> None:
    """A folder with its marker is recognised wherever it is, on another disk too."""
    with mounted(folder):
        markers.fault(folder)
        mark = (folder / MARKER_NAME).read_bytes()
    with mounted(folder):  # another file system at the same place
        assert markers.fault(folder) is None
    (folder / MARKER_NAME).write_bytes(mark)
    assert markers.fault(folder) is not None  # the mark of the first file system, replaced since
    with mounted(folder):
        newer = (folder / MARKER_NAME).write_bytes(b"token\n")
        assert newer == 6
        assert markers.fault(folder) is None
    (folder / MARKER_NAME).write_bytes(b"token\n")
    assert markers.fault(folder) is None


def test_mark_of_a_mount_point_is_not_the_mark_of_the_mount(markers: Markers, folder: Path) -> None:
    """A marker that was written while the share was away is not taken for the share's."""
    markers.fault(folder)
    with mounted(folder):
        (folder / MARKER_NAME).touch()
        assert markers.fault(folder) is None
    assert markers.fault(folder) is not None


def test_empty_marker_is_a_persons_word(markers: Markers, folder: Path) -> None:
    """After `touch` of the marker file, a folder counts at its new place."""
    with mounted(folder):
        markers.fault(folder)
    (folder / MARKER_NAME).touch()
    assert markers.fault(folder) is None
    assert (folder / MARKER_NAME).read_text() != ""
    assert mount_of(folder).point != str(folder)


def test_lost_ledger_takes_the_marks_as_they_are(
    markers: Markers, folder: Path, tmp_path: Path
) -> None:
    """A new ledger knows no markers, and pauses for none."""
    markers.fault(folder)
    text = (folder / MARKER_NAME).read_text()
    (tmp_path / "other").mkdir()
    other = Ledger.open(tmp_path / "other")
    assert Markers(other).fault(folder) is None
    assert (folder / MARKER_NAME).read_text() == text
    other.close()


def test_read_only_folder_is_known_without_a_marker(ledger: Ledger, folder: Path) -> None:
    """By its mount and inode: its empty mount point is told from it, and its return is seen."""
    disk = SmallDisk(folder, 1 << 20)
    try:
        disk.make_read_only()
        for _ in range(2):
            assert Markers(ledger).fault(folder) is None
        assert list(folder.iterdir()) == []
        disk.unmount()
        fault = Markers(ledger).fault(folder)
        assert fault is not None
        assert f"it is not mounted: it was on {folder}" in fault
        disk.mount()
        disk.make_read_only()
        assert Markers(ledger).fault(folder) is None
        disk.make_writable()
        assert Markers(ledger).fault(folder) is None
        assert (folder / MARKER_NAME).exists()
    finally:
        disk.destroy()


def test_read_only_folder_that_is_mounted_later(ledger: Ledger, folder: Path) -> None:
    """What is mounted on a known folder is the right one: nobody could put a marker there."""
    Markers(ledger).fault(folder)
    disk = SmallDisk(folder, 1 << 20)
    try:
        disk.make_read_only()
        assert Markers(ledger).fault(folder) is None
    finally:
        disk.destroy()
