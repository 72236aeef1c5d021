"""Markers: a dot-file in each folder tells a share that is mounted from its empty mount point.

An unmounted inbox looks like one whose pictures were all taken away, and an unmounted output takes
results that nobody finds. So each folder is marked once, and the ledger remembers with what, and on
which mount. A folder without its mark that lies on the same mount still was emptied by its owner,
and is marked anew; on another mount, it is not the folder that was meant.
"""

import errno
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
    """The marks of one daemon's folders."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def fault(self, folder: Path) -> str | None:
        """Say why `folder` is not the one that was marked; mark it where it has none yet.

        Raises:
            OSError: the mark cannot be read or written.
        """
        token = _read(folder / MARKER_NAME)
        known = self._ledger.folder_mark(folder)
        if known is not None and token == known.token:
            return None
        here = mount_of(folder)
        was_meant = token == ""  # a file without content is a person's word
        if known is None or was_meant or here.point == known.mount_point:
            self._mark(folder, token, here.point)
            return None
        return (
            f"it is not mounted: it was on {known.mount_point} and lies on {here.point} now, "
            f"without its mark; if it is meant as it is: touch {folder / MARKER_NAME}"
        )

    def require(self, folder: Path) -> None:
        """Raise OSError where `folder` is not there, or is only the mount point below it."""
        if not folder.is_dir() or self.fault(folder) is not None:
            raise OSError(errno.ESTALE, "not mounted", str(folder))

    def _mark(self, folder: Path, token: str | None, mount_point: str) -> None:
        if not token:
            token = uuid.uuid4().hex
            durable.write_new(folder / MARKER_NAME, f"{token}\n{_EXPLANATION}\n".encode())
        self._ledger.mark_folder(folder, FolderMark(token=token, mount_point=mount_point))


def _read(marker: Path) -> str | None:
    """Return the token; None without a marker, "" of an empty one."""
    with suppress(FileNotFoundError):
        return marker.read_text(errors="replace").partition("\n")[0]
    return None
