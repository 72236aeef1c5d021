"""Obstacle: what stops all work and is no fault of an image, such as a missing folder."""

import os
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import WorkerEnd, WorkerEnded
from zssr_daemon.folders.inbox_lock import InboxLock
from zssr_daemon.folders.markers import Markers
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.disk_faults import is_full

#: Of raw RGBA with 16 bits: the ledger knows no bit depth, and a PNG is hardly ever larger.
_BYTES_PER_OUT_PIXEL = 8


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the queue waits; `message` says what is wrong and where."""

    reason: Reason
    message: str
    is_seen: bool = True  # by a look at the folders; else only the error of one file speaks of it


def find_obstacle(
    settings: Settings, *, markers: Markers | None = None, inbox_lock: InboxLock | None = None
) -> Obstacle | None:
    """Look for a missing folder, and for a disk with less free space than must stay free.

    With `markers`, a folder whose file system is not mounted counts as missing. `inbox_lock` is let
    go while a folder is missing, so that it can be unmounted, and taken again afterwards.
    """
    for name, folder in settings.folders.by_name().items():
        holds_pictures = name != "state"
        is_written = name != "inbox" or settings.output.on_success != "keep"
        obstacle = _folder_fault(
            name, folder, markers if holds_pictures else None, is_written=is_written
        )
        if obstacle is not None:
            if inbox_lock is not None:
                inbox_lock.release()
            return obstacle
    fault = None if inbox_lock is None else inbox_lock.fault()
    return find_shortage(settings) if fault is None else Obstacle(Reason.FOLDER_MISSING, fault)


def find_shortage(settings: Settings, out_pixels: int = 0) -> Obstacle | None:
    """Look for a disk without room for an output of `out_pixels` beside what must stay free."""
    needed = settings.limits.min_free_disk_bytes + out_pixels * _BYTES_PER_OUT_PIXEL
    for name in ("output", "state"):
        obstacle = _too_full(name, settings.folders.by_name()[name], needed)
        if obstacle is not None:
            return obstacle
    return None


def lost_children(worker: WorkerEnded | None, probe_fault: str | None) -> Obstacle | None:
    """Return what keeps the child processes from working; None if nothing does.

    Args:
        worker: how the last worker ended; None while some worker can be used.
        probe_fault: why no probe starts; None while one does.
    """
    if worker is not None and worker.reason is not WorkerEnd.NO_START:
        return Obstacle(Reason.DEVICE_LOST, worker.message)
    fault = probe_fault if worker is None else worker.message
    return None if fault is None else Obstacle(Reason.CHILDREN_UNAVAILABLE, fault)


def _folder_fault(
    name: str, folder: Path, markers: Markers | None, *, is_written: bool
) -> Obstacle | None:
    try:
        if not folder.is_dir():
            return _missing(name, folder, "it is not there")
        with os.scandir(folder):  # stat can succeed on a share that fails
            pass
        if is_written and not os.access(folder, os.W_OK | os.X_OK):
            return _missing(name, folder, "it cannot be written to")
        fault = None if markers is None else markers.fault(folder)
    except OSError as error:  # a stale share, or no access to a folder above
        if is_full(error.errno):
            return Obstacle(Reason.DISK_FULL, f"[folders] {name} = {folder}: {error.strerror}")
        return _missing(name, folder, f"it cannot be reached: {error.strerror}")
    return None if fault is None else _missing(name, folder, fault)


def _missing(name: str, folder: Path, why: str) -> Obstacle:
    return Obstacle(Reason.FOLDER_MISSING, f"[folders] {name} = {folder}: {why}")


def _too_full(name: str, folder: Path, needed: int) -> Obstacle | None:
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return _missing(name, folder, f"it cannot be reached: {error.strerror}")
    free = status.f_bavail * status.f_frsize
    if free >= max(needed, 1):  # zero free bytes are too few even where none must stay free
        return None
    message = f"[folders] {name} = {folder}: {free} bytes free, {needed} needed"
    return Obstacle(Reason.DISK_FULL, message)
