"""FolderCheck: whether a daemon can work with the folders of its settings, before it starts."""

import os
import sys
import tempfile
from pathlib import Path

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.disk_faults import is_disk_fault
from zssr_daemon.system.mounts import mount_of


def check_folders(settings: Settings, settings_file: Path | None) -> None:
    """Create the folders, and refuse those that a daemon cannot work with.

    A disk that is full, read-only or out of reach is no fault of the settings: the queue waits.

    Raises:
        SettingsError: two folders overlap, one holds the settings file or the interpreter's
            environment, or one cannot be created or written to.
    """
    folders = {name: path.resolve() for name, path in settings.folders.by_name().items()}
    _refuse_overlap(folders)
    _refuse_holding(folders, settings_file)
    for name, path in folders.items():
        if name != "inbox" or not _is_kept_as_it_is(path, settings):
            _make_writable(name, path)


def _is_kept_as_it_is(inbox: Path, settings: Settings) -> bool:
    """Tell whether the inbox is only to be read, because sources stay there and it is read-only.

    Raises:
        SettingsError: it is mounted read-only, and sources are to leave it.
    """
    on_success = settings.output.on_success
    if on_success == "keep":
        return os.access(inbox, os.R_OK | os.X_OK) and not os.access(inbox, os.W_OK)
    if os.access(inbox, os.F_OK) and mount_of(inbox).is_read_only:
        raise SettingsError(
            f"[folders] inbox = {inbox}: it is mounted read-only, and [output] on_success = "
            f'"{on_success}" takes sources out of it; set on_success = "keep", or mount it writable'
        )
    return False


def _refuse_overlap(folders: dict[str, Path]) -> None:
    for name, path in folders.items():
        for other_name, other in folders.items():
            if name != other_name and path.is_relative_to(other):
                raise SettingsError(
                    f"[folders] {name} = {path} lies in {other_name} = {other}: "
                    "the daemon would take its own files for pictures; give each its own folder"
                )


def _refuse_holding(folders: dict[str, Path], settings_file: Path | None) -> None:
    held = {"the interpreter": Path(sys.prefix).resolve()}
    if settings_file is not None:
        held["the settings file"] = settings_file.resolve()
    for name, path in folders.items():
        for what, where in held.items():
            if where.is_relative_to(path):
                raise SettingsError(
                    f"[folders] {name} = {path} holds {what} ({where}); give it a folder of its own"
                )


def _make_writable(name: str, path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        if is_disk_fault(error.errno) and name != "state":
            return
        is_there = name == "inbox" and os.access(path, os.F_OK)
        cure = ', or set [output] on_success = "keep"' if is_there else ""
        raise SettingsError(
            f"[folders] {name} = {path}: {error.strerror}; the user that runs the daemon must be "
            f"able to create and write to it{cure}"
        ) from error
