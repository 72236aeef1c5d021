"""SafeOpen: files opened by paths that an outsider chose, never through a link."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from zssr_daemon.errors import ImageError, Reason, SourceChangedError
from zssr_daemon.system.file_identity import FileIdentity

_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# O_NONBLOCK: opening a fifo would otherwise wait for its writer for ever.
_FILE_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

# A symlink (ELOOP; ENOTDIR where a folder is asked for) and a socket (ENXIO).
_UNSAFE_ERRNOS: Final = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO})

# There is no file of that name.
_ABSENT_ERRNOS: Final = frozenset({errno.ENOENT, errno.ENAMETOOLONG})


def open_source(root: str | Path, rel_path: str) -> int:
    """Open a regular file below `root` for reading and return its descriptor.

    Every component of `rel_path` (in `os.fsdecode` form, so any bytes are legal) is opened
    relative to the one before it and never through a symlink. `root` itself may be one: the
    operator named it. The caller closes the descriptor.

    Raises ImageError (`unsafe_file`) for links, folders, fifos, devices and paths that climb;
    any other OSError, FileNotFoundError among them, is about the disk and passes through.
    """
    *folders, name = _split(rel_path)
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for folder in folders:
        fd = _step(fd, folder, _FOLDER_FLAGS)
    fd = _step(fd, name, _FILE_FLAGS)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ImageError(f"{name!r} is not a regular file", reason=Reason.UNSAFE_FILE)
    return fd


def open_known_source(root: str | Path, rel_path: str, identity: FileIdentity) -> int:
    """Open a file as `open_source` does, if it is still the one with that identity.

    Raises SourceChangedError where it is another one, and what `open_source` raises.
    """
    fd = open_source(root, rel_path)
    if FileIdentity.from_stat(os.fstat(fd)) != identity:
        os.close(fd)
        raise SourceChangedError("the source changed before its job began")
    return fd


def read_small(root: str | Path, rel_path: str, max_bytes: int) -> bytes | None:
    """Return what a regular file below `root` holds, None where there is none.

    At most `max_bytes` + 1 bytes are read: one byte too many tells the caller that the file is too
    large. Raises as `open_source`, but no FileNotFoundError.
    """
    if _is_absent(Path(root) / rel_path):
        return None
    try:
        with os.fdopen(open_source(root, rel_path), "rb") as stream:
            return stream.read(max_bytes + 1)
    except OSError as error:
        if error.errno in _ABSENT_ERRNOS:
            return None
        raise


def _is_absent(path: Path) -> bool:
    """Ask the system by the whole path, which is cheap in folders nested however deep.

    Where something is there, or the system cannot tell, `open_source` finds out.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False


def _split(rel_path: str) -> list[str]:
    """Split a relative path, refusing components that could leave the root."""
    parts = rel_path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise ImageError(f"{rel_path!r} is not a plain relative path", reason=Reason.UNSAFE_FILE)
    return parts


def _step(folder_fd: int, name: str, flags: int) -> int:
    """Open `name` in a folder and close the folder."""
    try:
        return os.open(name, flags, dir_fd=folder_fd)
    except OSError as error:
        if error.errno in _UNSAFE_ERRNOS:
            message = f"{name!r} is not a plain file or folder"
            raise ImageError(message, reason=Reason.UNSAFE_FILE) from error
        raise
    finally:
        os.close(folder_fd)
