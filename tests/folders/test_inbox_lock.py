"""InboxLock: two daemons never take files from one inbox, however they get there."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.small_disk import SmallDisk
from zssr_daemon.errors import InboxLockedError
from zssr_daemon.folders.inbox_lock import InboxLock


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Path]:
    """Return an inbox that another daemon works on."""
    inbox = tmp_path / "in"
    (inbox / "sub").mkdir(parents=True)
    lock = InboxLock(inbox)
    lock.take()
    yield inbox
    lock.release()


def test_same_folder(inbox: Path) -> None:
    """By its own path and through a link."""
    link = inbox.with_name("link")
    link.symlink_to(inbox)
    for path in (inbox, link, inbox / "sub" / ".."):
        with pytest.raises(InboxLockedError, match="another zssr-daemon works on it") as caught:
            InboxLock(path).take()
        assert caught.value.exit_code == 75


def test_same_folder_through_a_bind_mount(tmp_path: Path) -> None:
    """A read-only one too: the lock needs no write."""
    disk = SmallDisk(tmp_path / "in", 1 << 20)
    try:
        disk.make_read_only()
        lock, other = InboxLock(disk.path), InboxLock(tmp_path / "in.disk")
        lock.take()
        with pytest.raises(InboxLockedError):
            other.take()
        lock.release()
        other.take()
        other.release()
    finally:
        disk.destroy()


def test_nested_folders(inbox: Path) -> None:
    """An inbox in another one, and one around it: whichever begins first."""
    with pytest.raises(InboxLockedError, match=f"works on {inbox}, in which it lies"):
        InboxLock(inbox / "sub").take()
    with pytest.raises(InboxLockedError, match="on it, or on a folder in it"):
        InboxLock(inbox.parent).take()


def test_folders_beside_each_other(inbox: Path) -> None:
    """They hinder nobody, and a refused daemon leaves no lock behind."""
    with pytest.raises(InboxLockedError):
        InboxLock(inbox).take()
    beside = inbox.with_name("beside")
    beside.mkdir()
    lock = InboxLock(beside)
    lock.take()
    assert lock.fault() is None
    lock.release()


#: Locks the folder named by its argument, says so, and waits.
_HOLD = """
import sys
from pathlib import Path
from zssr_daemon.folders.inbox_lock import InboxLock
InboxLock(Path(sys.argv[1])).take()
print("held", flush=True)
sys.stdin.read()
"""


def test_lock_of_a_process_that_was_killed(tmp_path: Path) -> None:
    """The kernel frees it."""
    command = [sys.executable, "-c", _HOLD, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    lock = InboxLock(tmp_path)
    with subprocess.Popen(command, **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.read(5) == b"held\n"
        assert lock.fault() is not None
        holder.kill()
    lock.take()
    lock.release()


def test_folder_that_comes_back(tmp_path: Path) -> None:
    """A missing folder is not locked; once it is there, or another one is, it is locked."""
    inbox = tmp_path / "in"
    lock, other = InboxLock(inbox), InboxLock(inbox)
    lock.take()
    assert lock.fault() is None
    for _ in range(2):
        inbox.mkdir()
        assert lock.fault() is None
        with pytest.raises(InboxLockedError):
            other.take()
        inbox.rmdir()
    inbox.mkdir()
    other.take()
    assert "another zssr-daemon works on it" in str(lock.fault())
    other.release()
    assert lock.fault() is None
    lock.release()
