"""FolderCheck: folders that a daemon cannot work with are refused, and a failing disk is not."""

import errno
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.settings_files import fault, load
from tests.parts.small_disk import SmallDisk
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.errors import SettingsError
from zssr_daemon.folders.check import check_folders
from zssr_daemon.folders.markers import Markers
from zssr_daemon.folders.obstacle import find_obstacle
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system import disk_faults


def test_folders_are_made(tmp_path: Path) -> None:
    """The first start needs no preparation, and the check leaves nothing behind."""
    settings = load(tmp_path, '[folders]\ninbox = "deep/down/in"')
    check_folders(settings, tmp_path / "settings.toml")
    for folder in settings.folders.by_name().values():
        assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ('inbox = "x"\noutput = "x/out"', "output = {0}/x/out lies in inbox = {0}/x"),
        ('inbox = "x/in"\noutput = "x"', "inbox = {0}/x/in lies in output = {0}/x"),
        ('archive = "x"\nfailed = "x"', "archive = {0}/x lies in failed = {0}/x"),
        ('output = "inbox/../inbox/."', "lies in"),
        ('inbox = "link/in"\noutput = "real"', "inbox = {0}/real/in lies in output"),
        ('inbox = "."', "inbox = {0}"),
        ('inbox = ""', "inbox = {0}"),
        ('state = ".."\n', "lies in state"),
        ('inbox = "settings.toml"', "inbox = {0}/settings.toml holds the settings file"),
        ('inbox = "file"', "inbox = {0}/file: File exists; the user that runs"),
        ('inbox = "file/in"', "inbox = {0}/file/in: Not a directory; the user that runs"),
        (f'inbox = "{"x" * 300}"', "File name too long"),
    ],
)
def test_folders_that_cannot_work_are_refused(tmp_path: Path, toml: str, expected: str) -> None:
    """Overlaps, also through links, and what cannot be written to, end at once and say why."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch()
    message = fault(tmp_path, f"[folders]\n{toml}")
    assert message.startswith("[folders] ")
    assert expected.format(tmp_path) in message


def test_folder_of_the_interpreter_is_refused(tmp_path: Path) -> None:
    """A folder that holds the program's environment cannot be an inbox."""
    message = fault(tmp_path, f"[folders]\ninbox = '{Path(sys.prefix).parent}'")
    assert "holds the interpreter" in message or "lies in" in message


@pytest.fixture
def fail_to_write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Return a function that lets every write to one folder fail with an errno."""
    temporary_file = tempfile.TemporaryFile

    def fail(folder: Path, number: int) -> None:
        def failing(*args: Any, dir: Path, **kwargs: Any) -> Any:
            if dir == folder:
                raise OSError(number, os.strerror(number))
            return temporary_file(*args, dir=dir, **kwargs)

        monkeypatch.setattr(tempfile, "TemporaryFile", failing)

    return fail


@pytest.mark.parametrize(
    "number", sorted(disk_faults._FULL | disk_faults._AWAY), ids=errno.errorcode.get
)
@pytest.mark.parametrize("name", ["inbox", "output", "archive", "failed"])
def test_failing_disk_is_no_fault_of_the_settings(
    settings: Settings, fail_to_write: Callable[[Path, int], None], name: str, number: int
) -> None:
    """The daemon starts, and its queue waits for the disk."""
    fail_to_write(settings.folders.by_name()[name], number)
    check_folders(settings, None)


@pytest.fixture
def read_only_inbox(settings: Settings) -> Iterator[Path]:
    """Return the inbox of `settings`, mounted read-only."""
    inbox = settings.folders.inbox
    inbox.rmdir()
    disk = SmallDisk(inbox, 1 << 20)
    disk.make_read_only()
    yield inbox
    disk.destroy()


@pytest.mark.parametrize("on_success", ["archive", "delete"])
def test_read_only_inbox_is_refused_where_sources_leave(
    make_settings: SettingsFactory, read_only_inbox: Path, on_success: str
) -> None:
    """Somebody mounted it so: it would not pass, so the message names both cures."""
    settings = make_settings(output={"on_success": on_success})
    with pytest.raises(SettingsError, match="it is mounted read-only") as caught:
        check_folders(settings, None)
    assert str(read_only_inbox) in str(caught.value)
    assert 'set on_success = "keep", or mount it writable' in str(caught.value)


def test_read_only_inbox_is_no_fault_where_sources_stay(
    make_settings: SettingsFactory, read_only_inbox: Path, ledger: Ledger
) -> None:
    """Neither at the start nor at work; without `keep` it stops all jobs."""
    settings = make_settings(output={"on_success": "keep"})
    check_folders(settings, None)
    assert find_obstacle(settings, markers=Markers(ledger)) is None
    assert list(read_only_inbox.iterdir()) == []
    obstacle = find_obstacle(make_settings(), markers=Markers(ledger))
    assert obstacle is not None
    assert "cannot be written to" in obstacle.message


@pytest.mark.parametrize(
    ("name", "number"),
    [("state", errno.EIO), ("state", errno.ENOSPC), ("inbox", errno.EACCES)],
)
def test_folder_that_cannot_be_written_to(
    settings: Settings, fail_to_write: Callable[[Path, int], None], name: str, number: int
) -> None:
    """Without its ledger a daemon cannot start; without permission it never gets further."""
    folder = settings.folders.by_name()[name]
    fail_to_write(folder, number)
    with pytest.raises(SettingsError) as caught:
        check_folders(settings, None)
    assert str(caught.value).startswith(f"[folders] {name} = {folder}: {os.strerror(number)}; ")
