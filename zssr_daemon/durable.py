"""Durable file operations: nothing is overwritten, and what is said to be there is on the disk."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zssr_daemon.names import part_beside

#: File systems without hard links, or a kernel that forbids linking other users' files.
_NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    """Make the content of `path` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, below: Path) -> None:
    """Create `folder` and its parents down from `below`, each durable in its parent."""
    missing = []
    while folder != below and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        fsync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def link_no_replace(part: Path, final: Path, *, may_be_reserved: bool = False) -> None:
    """Give the finished `part` its final name, durably; `part` is gone afterwards.

    Args:
        part: the whole file, in the same file system.
        final: its name; without hard links an empty file is put there first.
        may_be_reserved: an earlier, interrupted call may have left that empty file.

    Raises:
        FileExistsError: `final` is taken, also when it was taken only this instant.
    """
    try:
        os.link(part, final)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if not (may_be_reserved and _is_empty(final)):
            _reserve(final)
        part.replace(final)
    else:
        fsync_folder(final.parent)
        part.unlink()
    fsync_folder(final.parent)


def move_no_replace(source: Path, target: Path, *, may_be_reserved: bool = False) -> None:
    """Move a file onto a free name, durably on both sides, across file systems too.

    Args:
        source: the file, or link, to move.
        target: its new name; an empty file is put there first, which nobody can do twice.
        may_be_reserved: an earlier, interrupted move may have left that empty file.

    Raises:
        FileExistsError: `target` is taken.
    """
    if not (may_be_reserved and _is_empty(target)):
        _reserve(target)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            target.unlink()
            raise
        _copy_over(source, target)
        source.unlink()
    fsync_folder(target.parent)
    fsync_folder(source.parent)


def write_new(path: Path, content: bytes) -> None:
    """Write a small file as a whole, durably; an older one of this name is replaced."""
    part = path.with_name(part_beside(path.name))
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
    fsync_folder(path.parent)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every file below `folder`, however deep; a folder that cannot be read is left out."""
    waiting = [folder]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    yield Path(entry.path)


def _reserve(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o640))


def _is_empty(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == 0


def _copy_over(source: Path, target: Path) -> None:
    """Copy across file systems, and prove the copy before it takes the reserved name."""
    if not (source.is_symlink() or source.is_file()):
        return  # a fifo or socket has no content: the empty file stands for it
    part = target.with_name(part_beside(target.name))
    shutil.copy2(source, part, follow_symlinks=False)
    if not part.is_symlink():
        fsync_file(part)
        if sha256_of(part) != sha256_of(source):
            part.unlink()
            raise OSError(errno.EIO, "the copy differs from its source", str(target))
    part.replace(target)
