"""Markers: a hidden file in each folder, by which a mounted share is told from its mount point.

An unmounted inbox looks like one whose pictures were all taken away, and results written to an
unmounted output folder are not found again. So each folder gets a marker file with a token, and
the ledger remembers the token and the mount point. A folder without its marker on the same mount
was emptied by its owner, and is marked again; on another mount, it is the wrong folder.

An inbox that cannot be written to gets no marker: the ledger knows it by its mount and its inode.
"""

import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

from zssr_daemon.ledger.folder_mark import FolderMark
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system import durable
from zssr_daemon.system.mounts import mount_of

MARKER_NAME = ".zssr-daemon"

_EXPLANATION = "By this file zssr-daemon knows that this folder is mounted. Please leave it here."


class Markers:
    """The markers of one daemon's folders."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def fault(self, folder: Path) -> str | None:
        """Return why `folder` is not the one that was marked, or None; mark a new folder.

        Raises:
            OSError: the marker file cannot be read or written.
        """
        token = _read(folder / MARKER_NAME)
        known = self._ledger.folder_marks.of(folder)
        if known is not None and token == known.token:
            return None
        here = mount_of(folder)
        if token is None and not os.access(folder, os.W_OK):
            return self._fault_of_read_only(folder, known, here.point)
        was_meant = token == ""  # a person has made an empty file: this folder is the right one
        if known is None or was_meant or here.point == known.mount_point:
            self._mark(folder, token, here.point)
            return None
        return (
            f"it is not mounted: it was on {known.mount_point} and is on {here.point} now, "
            f"without its marker file; mount it, or, if this is the right folder, "
            f"touch {folder / MARKER_NAME}"
        )

    def _fault_of_read_only(
        self, folder: Path, known: FolderMark | None, mount_point: str
    ) -> str | None:
        """Know a folder without marker by mount and inode; what is mounted on it since counts."""
        mark = FolderMark(token=f"inode {folder.stat().st_ino}", mount_point=mount_point)
        if known is None or Path(mount_point).is_relative_to(known.mount_point):
            if known != mark:
                self._ledger.folder_marks.keep(folder, mark)
            return None
        return f"it is not mounted: it was on {known.mount_point} and is on {mount_point} now"

    def require(self, folder: Path) -> None:
        """Raise OSError where `folder` is missing, or is only the mount point of the one meant."""
        if not folder.is_dir() or self.fault(folder) is not None:
            raise OSError(errno.ESTALE, "not mounted", str(folder))

    def _mark(self, folder: Path, token: str | None, mount_point: str) -> None:
        if not token:
            token = uuid.uuid4().hex
            durable.write_new(folder / MARKER_NAME, f"{token}\n{_EXPLANATION}\n".encode())
        self._ledger.folder_marks.keep(folder, FolderMark(token=token, mount_point=mount_point))


def _read(marker: Path) -> str | None:
    """Return the token; None without a marker file, "" from an empty one."""
    with suppress(FileNotFoundError), marker.open("rb") as stream:
        with suppress(OSError):  # so that the disk is asked, and not the memory
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return stream.read().decode(errors="replace").partition("\n")[0]
    return None
