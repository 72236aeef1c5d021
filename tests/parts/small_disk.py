"""Small real file systems that a test fills, makes read-only, unmounts and mounts again."""

import fcntl
import os
import struct
import subprocess
from pathlib import Path

import pytest

from tests.parts.tools import tool

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class SmallDisk:
    """A tmpfs at `path`, which is made; what it holds stays when it is unmounted for a while."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        self._home = path.with_name(path.name + ".disk")
        for folder in (path, self._home):
            folder.mkdir(exist_ok=True)
        mount("-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(self._home))
        self.mount()

    def mount(self) -> None:
        """Put the disk where it belongs, again."""
        mount("--bind", str(self._home), str(self.path))

    def unmount(self) -> None:
        """Take the disk away, though a daemon holds its lock; the folder below becomes visible."""
        done = _run("umount", "--lazy", str(self.path))
        assert done.returncode == 0, done.stderr

    def make_read_only(self) -> None:
        """Let every write fail from now on, as a disk with errors does."""
        mount("-o", "remount,bind,ro", str(self.path))

    def make_writable(self) -> None:
        """Undo `make_read_only`."""
        mount("-o", "remount,bind,rw", str(self.path))

    def fill(self, *, but_bytes: int = 0) -> None:
        """Fill the disk but for `but_bytes`, in whole pages; can be called again."""
        self.empty()
        status = os.statvfs(self.path)
        pages = (status.f_bavail * status.f_frsize - but_bytes) // _PAGE_BYTES
        assert pages >= 0, "more is taken than is to be left free"
        self._filler.write_bytes(bytes(pages * _PAGE_BYTES))

    def fill_nearly(self) -> None:
        """Leave room for the beginning of a file."""
        self.fill(but_bytes=2 * _PAGE_BYTES)

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)

    def destroy(self) -> None:
        """Unmount for good, even if the disk is in use."""
        for folder in (self.path, self._home):
            _run("umount", "--lazy", str(folder))

    @property
    def _filler(self) -> Path:
        return self._home / ".filler"


def mount(*arguments: str) -> None:
    """Mount something; a test that may not is skipped."""
    done = _run(tool("mount", package="mount"), *arguments)
    if done.returncode:
        pytest.skip(f"mounting is refused here: {done.stderr.strip()}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


class RenumberedDisk:
    """A file system in a file, which the kernel gives another number when it is mounted again."""

    _SIZE_BYTES = 4 << 20

    def __init__(self, path: Path) -> None:
        self.path = path
        self._image = path.with_name(path.name + ".image")
        self._others: list[str] = []
        make_file_system = tool("mke2fs", package="e2fsprogs")
        path.mkdir()
        self._spacer = path.with_name(path.name + ".spacer")
        for file in (self._image, self._spacer):
            with file.open("wb") as stream:
                stream.truncate(self._SIZE_BYTES)
        _run(make_file_system, "-q", str(self._image))
        mount("-o", "loop", str(self._image), str(path))

    def mount_again(self) -> None:
        """Unmount, and mount under another device number, as after a boot."""
        before = self.path.stat().st_dev
        _run("umount", str(self.path))
        # Another one takes the number that has just become free.
        self._others.append(_run("losetup", "--find", "--show", str(self._spacer)).stdout.strip())
        mount("-o", "loop", str(self._image), str(self.path))
        assert self.path.stat().st_dev != before

    def destroy(self) -> None:
        """Unmount for good."""
        _run("umount", "--lazy", str(self.path))
        for device in self._others:
            _run("losetup", "--detach", device)


class BadDisk:
    """A file system in a file; reading what lies at its end fails with EIO, as on a bad sector."""

    _SIZE_BYTES = 4 << 20
    _FIBMAP = 1  # from <linux/fs.h>: the number of a block on the disk

    def __init__(self, path: Path) -> None:
        self.path = path
        self._image = path.with_name(path.name + ".image")
        make_file_system = tool("mke2fs", package="e2fsprogs")
        path.mkdir()
        with self._image.open("wb") as stream:
            stream.truncate(self._SIZE_BYTES)
        _run(make_file_system, "-q", str(self._image))
        self._mount()

    def _mount(self) -> None:
        mount("-o", "loop", str(self._image), str(self.path))

    def spoil_last(self) -> str:
        """Cut the disk off before the file that lies last on it, and return the file's name."""
        there = [file for file in self.path.iterdir() if file.is_file()]
        blocks = {self._first_block(file): file.name for file in there}
        block_bytes = self.path.stat().st_blksize
        _run("umount", str(self.path))
        self._mount()  # so that no file is in memory
        os.truncate(self._image, max(blocks) * block_bytes)
        return blocks[max(blocks)]

    def _first_block(self, file: Path) -> int:
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            found = fcntl.ioctl(stream, self._FIBMAP, struct.pack("i", 0))
        return int(struct.unpack("i", found)[0])

    def destroy(self) -> None:
        """Unmount for good."""
        _run("umount", "--lazy", str(self.path))
