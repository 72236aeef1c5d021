"""Batches: the folders of the inbox that hold what is dropped together, each with its profile.

They and their files have modes by which the daemon, another user of the same group, can move what
the page has written.
"""

import os
import re
import secrets
import stat
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from threading import Lock

from zssr_daemon.protocol.endings import PART
from zssr_daemon.settings.profile_files import FOLDER_PROFILE
from zssr_daemon.system.durable import fsync_folder, write_new
from zssr_daemon.web.guard.refusal import RefusedError

#: The folder of the inbox in which all batches lie.
PLACE = "web"

FOLDER_MODE = 0o2770
FILE_MODE = 0o660

_BATCH = re.compile(r"\d{4}-\d\d-\d\d-[0-9a-f]{8}")
_TRY_S = 24 * 3600
_MAX_COUNTED = 1000


class Batches:
    """Makes and finds the folders; every call waits for the disk, so it belongs into a thread."""

    def __init__(self, inbox: Path, max_files: int) -> None:
        self._inbox = inbox
        self._place = inbox / PLACE
        self._max_files = max_files
        self._lock = Lock()
        self._counts: OrderedDict[str, int] = OrderedDict()

    def make(self, profile: str, *, is_try: bool = False) -> str:
        """Make a batch, durably, with its profile in it; return its name.

        Raises:
            OSError: the disk is at fault.
        """
        kind = "try" if is_try else time.strftime("%Y-%m-%d")
        name = f"{kind}-{secrets.token_hex(4)}"
        make_shared_folder(self._place)
        make_shared_folder(self._place / name)
        file = self._place / name / FOLDER_PROFILE
        write_new(file, profile.encode(), mode=FILE_MODE, is_exact_mode=True)
        return name

    def folder(self, batch: str, below: tuple[str, ...] = ()) -> Path:
        """Return a folder of a batch; what is missing below it is made, durably.

        Raises:
            RefusedError: there is no such batch, or something else lies there.
            OSError: the disk is at fault.
        """
        folder = self._place / batch
        if not _BATCH.fullmatch(batch) or not stat.S_ISREG(_mode(folder / FOLDER_PROFILE)):
            raise RefusedError(404, "this batch is not there any more", "drop the files again")
        for name in below:
            folder /= name
            try:
                make_shared_folder(folder)
            except FileExistsError as error:
                raise RefusedError(409, f"a file is called {name}", "rename the folder") from error
        return folder

    def count(self, batch: str) -> None:
        """Count one more file.

        Raises:
            RefusedError: the batch is full.
        """
        with self._lock:
            counted = self._counts.pop(batch, None)
            if counted is None:  # after a restart: what lies there, without the profile
                counted = sum(len(files) for _, _, files in os.walk(self._place / batch)) - 1
            is_full = counted >= self._max_files
            self._counts[batch] = counted + (not is_full)
            while len(self._counts) > _MAX_COUNTED:
                self._counts.popitem(last=False)
        if is_full:
            raise RefusedError(409, f"the batch has {counted} files", "begin a new batch")

    def clean(self) -> None:
        """Remove the parts that a killed process left, and the folders of old tries."""
        with suppress(OSError):
            for folder, _, files in os.walk(self._place):
                for name in files:
                    if name.startswith(".") and name.endswith(PART):
                        (Path(folder) / name).unlink(missing_ok=True)
            for tried in self._place.glob("try-*"):
                if [path.name for path in tried.iterdir()] == [FOLDER_PROFILE] and _is_old(tried):
                    (tried / FOLDER_PROFILE).unlink()
                    tried.rmdir()


def make_shared_folder(folder: Path) -> None:
    """Make a folder, durably, into which the group may write, whatever the umask; or find one.

    Raises:
        FileExistsError: something else has the name.
    """
    try:
        folder.mkdir(FOLDER_MODE & 0o777)
    except FileExistsError:
        if not stat.S_ISDIR(_mode(folder)):
            raise
        return
    # Below a folder with set-group-ID, which a sandbox forbids to set, it is there already.
    if stat.S_IMODE(folder.stat().st_mode) != FOLDER_MODE:
        folder.chmod(FOLDER_MODE)
    fsync_folder(folder.parent)


def _mode(path: Path) -> int:
    """Return kind and permissions of what lies at `path`, links not followed; 0 for nothing."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _is_old(folder: Path) -> bool:
    return time.time() - folder.stat().st_mtime > _TRY_S
