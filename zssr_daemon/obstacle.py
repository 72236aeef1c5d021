"""Obstacle: what in the surroundings, not in an image, stands in the way of all work."""

import os
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon.settings import Settings

#: A raw RGBA picture of 16 bits, since the ledger knows no depth; a PNG is hardly ever larger.
_BYTES_PER_OUT_PIXEL = 8


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the queue waits; `reason` is a slug, `message` says what would mend it."""

    reason: str
    message: str


def find_obstacle(settings: Settings, out_pixels: int = 0) -> Obstacle | None:
    """Look for a missing folder, or too little space for an output of `out_pixels`."""
    for name, folder in settings.folders.by_name().items():
        fault = _folder_fault(folder)
        if fault is not None:
            return Obstacle("folder_missing", f"[folders] {name} = {folder}: {fault}")
    needed = settings.limits.min_free_disk_bytes + out_pixels * _BYTES_PER_OUT_PIXEL
    for name in ("output", "state"):
        folder = settings.folders.by_name()[name]
        try:
            free = _free_bytes(folder)
        except OSError as error:
            return Obstacle("folder_missing", f"[folders] {name} = {folder}: {error.strerror}")
        if free < needed:
            message = f"[folders] {name} = {folder}: {free} bytes free, {needed} needed"
            return Obstacle("disk_full", message)
    return None


def _folder_fault(folder: Path) -> str | None:
    try:
        if not folder.is_dir():
            return "it is not there"
    except OSError as error:  # a stale share, a folder above it that is closed to us
        return f"it cannot be reached: {error.strerror}"
    return None if os.access(folder, os.W_OK | os.X_OK) else "it cannot be written to"


def _free_bytes(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize
