"""Obstacle: what stops all work is found and named, and never raises."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.folders.markers import Markers
from zssr_daemon.folders.obstacle import find_obstacle, find_shortage
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system import durable


def test_nothing_in_the_way(settings: Settings) -> None:
    """With all folders and enough space there is no obstacle."""
    assert find_obstacle(settings) is None
    assert find_shortage(settings, 1000) is None


@pytest.mark.parametrize("name", ["inbox", "output", "archive", "failed", "state"])
def test_missing_folder(settings: Settings, name: str) -> None:
    """Each of the five counts; the message names key and path."""
    folder = settings.folders.by_name()[name]
    folder.rmdir()
    for _ in range(2):
        obstacle = find_obstacle(settings)
        assert obstacle is not None
        assert (obstacle.reason, obstacle.message) == (
            "folder_missing",
            f"[folders] {name} = {folder}: it is not there",
        )
        folder.touch()  # a file in its place is no folder either
        folder.chmod(0o600)


def test_reserve_is_kept_free(make_settings: SettingsFactory, tmp_path: Path) -> None:
    """Less than `min_free_disk_bytes` is too little."""
    free = shutil.disk_usage(tmp_path).free
    obstacle = find_obstacle(make_settings(limits={"min_free_disk_bytes": free * 2}))
    assert obstacle is not None
    assert obstacle.reason == "disk_full"
    assert f"{free * 2} needed" in obstacle.message


def test_output_must_fit(settings: Settings, tmp_path: Path) -> None:
    """A disk with less free space than the raw output needs is too full."""
    obstacle = find_shortage(settings, shutil.disk_usage(tmp_path).free)
    assert obstacle is not None
    assert obstacle.reason == "disk_full"


def test_folder_that_cannot_even_be_asked_about(settings: Settings, tmp_path: Path) -> None:
    """An error of the system is an obstacle, not the end of the daemon."""
    folders = settings.folders.model_copy(update={"output": tmp_path / ("x" * 300)})
    obstacle = find_obstacle(settings.model_copy(update={"folders": folders}))
    assert obstacle is not None
    assert obstacle.reason == "folder_missing"
    assert "File name too long" in obstacle.message


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EIO, "folder_missing"),
        (errno.EACCES, "folder_missing"),
    ],
)
def test_folder_whose_marker_cannot_be_written(
    settings: Settings, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, number: int, reason: str
) -> None:
    """A full disk is named as such; every other error of a folder makes it a missing one."""

    def failing(_path: Path, _content: bytes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(durable, "write_new", failing)
    found = find_obstacle(settings, markers=Markers(ledger))
    assert found is not None
    assert found.reason == reason
    assert os.strerror(number) in found.message
