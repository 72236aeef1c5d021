"""Durable file operations: nothing is overwritten, and what was done survives a power cut."""

import errno
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zssr_daemon import failpoints
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.file_names import leaving_beside, part_beside, tagged

#: Errors of `link` on file systems without hard links, or where the kernel forbids linking other
#: users' files.
_NO_LINKS = frozenset({errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


class ReplacedError(Exception):
    """Another file has taken the name; it is left, or put back, as it was."""


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
    """Create `folder` and its parents down from `below`, each durable in its parent.

    Raises:
        NotADirectoryError: a file has the name of one of them. OSError: the disk fails.
    """
    missing = []
    while folder != below and not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        try:
            path.mkdir(exist_ok=True)
        except FileExistsError as error:
            message = os.strerror(errno.ENOTDIR)
            raise NotADirectoryError(errno.ENOTDIR, message, str(path)) from error
        fsync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def link_no_replace(part: Path, final: Path, *, may_be_reserved: bool = False) -> None:
    """Give the finished `part` its final name, durably; `part` is gone afterwards.

    Args:
        part: the finished file, in the same file system as `final`.
        final: its name; without hard links an empty file is put there first, to reserve it.
        may_be_reserved: an earlier, interrupted call may have left that empty file.

    Raises:
        FileExistsError: `final` is taken, even if only since a moment ago.
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
        failpoints.reach(Failpoint.LINKED)
        part.unlink()
    fsync_folder(final.parent)


def move_no_replace(
    source: Path, target: Path, *, identity: FileIdentity, may_be_reserved: bool = False
) -> None:
    """Move a file onto a free name, durably on both sides, across file systems too.

    Args:
        source: the file, or link, to move.
        target: its new name; an empty file is put there first, which reserves it.
        identity: which file is meant; its owner may put another one there at any moment.
        may_be_reserved: an earlier, interrupted move may have left that empty file, or a copy.

    Raises:
        FileExistsError: `target` is taken.
        ReplacedError: another file lies at `source`; it stays there.
    """
    is_copied = may_be_reserved and _is_copy(target, source)
    if not is_copied:
        if not (may_be_reserved and _is_empty(target)):
            _reserve(target)
        failpoints.reach(Failpoint.RESERVED)
        try:
            is_copied = _move_onto(source, target, identity)
        except (OSError, ReplacedError):
            if _is_empty(target):  # so it is our reservation, and not somebody's file
                target.unlink()
            raise
    if is_copied:
        fsync_folder(target.parent)
        failpoints.reach(Failpoint.COPIED)
        with suppress(ReplacedError):  # the file we copied is gone already; another one stays
            remove_exactly(source, identity)
    fsync_folder(target.parent)
    fsync_folder(source.parent)


def remove_exactly(path: Path, identity: FileIdentity) -> None:
    """Delete a file, durably, unless another one has taken its place.

    The file is first renamed to a hidden name, so that nobody can exchange it between the check
    and the deletion. Repeated after a crash, this goes on where it stopped.

    Raises:
        ReplacedError: another file lies at `path`; it stays there.
    """
    leaving = path.with_name(leaving_beside(path.name))
    if not os.path.lexists(leaving):
        if identity_of(path) != identity:
            raise ReplacedError(path)
        path.replace(leaving)
    if identity_of(leaving) != identity:
        put_back(leaving, path)
        raise ReplacedError(path)
    leaving.unlink()
    fsync_folder(path.parent)


def put_back(path: Path, former: Path) -> None:
    """Give a file that was moved by mistake its former name, or a similar one, durably."""
    try:
        link_no_replace(path, former)
    except FileExistsError:  # the name was taken meanwhile, and both files must be kept
        tag = f"-{uuid.uuid4().hex[:8]}"
        link_no_replace(path, former.with_name(tagged(former.name, tag)))


def identity_of(path: Path) -> FileIdentity | None:
    """Return which file lies at `path`, links not followed; None when there is none."""
    try:
        return FileIdentity.from_stat(path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_new(
    path: Path, content: bytes, *, mode: int = 0o666, is_exact_mode: bool = False
) -> None:
    """Write a small file in one step, durably; an older one of this name is replaced.

    mode: the most that others may do with it, of which the umask takes away more, unless it is to
    be exactly that.
    """
    part = path.with_name(part_beside(path.name))
    part.unlink(missing_ok=True)  # that a crash left, or a link that somebody put there
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(part, flags, mode & 0o666 | 0o600), "wb") as stream:
        stream.write(content)
        if is_exact_mode:
            os.fchmod(stream.fileno(), mode)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
    fsync_folder(path.parent)


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every file below `folder`, however deep; folders that cannot be read are left out."""
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


def _is_copy(path: Path, source: Path) -> bool:
    """Tell whether `path` is the copy that an interrupted move across file systems left."""
    files = (path, source)
    if any(file.is_symlink() or not file.is_file() for file in files):
        return False
    found, wanted = path.stat(), source.stat()
    is_across = found.st_dev != wanted.st_dev  # within one file system a move copies nothing
    return is_across and found.st_size > 0 and sha256_of(path) == sha256_of(source)


def _move_onto(source: Path, target: Path, identity: FileIdentity) -> bool:
    """Move `source` onto the reserved `target`; tell whether it had to be copied."""
    if identity_of(source) != identity:
        raise ReplacedError(source)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy_over(source, target, identity)
        return True
    if identity_of(target) != identity:  # the source was exchanged after the check
        put_back(target, source)
        raise ReplacedError(source)
    return False


def _copy_over(source: Path, target: Path, identity: FileIdentity) -> None:
    """Copy across file systems, and compare the copy before it takes the reserved name."""
    if not (source.is_symlink() or source.is_file()):
        return  # a fifo or socket has no content, so the empty file stays in its place
    part = target.with_name(part_beside(target.name))
    try:
        if not source.is_symlink():  # readable to nobody else until it has the source's mode
            os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        shutil.copy2(source, part, follow_symlinks=False)
        if not part.is_symlink():
            fsync_file(part)
            if sha256_of(part) != sha256_of(source):
                raise OSError(errno.EIO, "the copy differs from its source", str(target))
        if identity_of(source) != identity:
            raise ReplacedError(source)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
