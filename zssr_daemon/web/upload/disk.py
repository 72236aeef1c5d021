"""Disk: what the inbox's disk says to an upload, in words for the browser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zssr_daemon.system.disk_faults import is_full
from zssr_daemon.web.guard.refusal import RefusedError

_FULL = "the disk of the inbox is full"
_FULL_CURE = "make room, or wait until results are fetched; [limits] min_free_disk_bytes is kept"


def check_space(inbox: Path, more_bytes: int, min_free_bytes: int) -> None:
    """Refuse what would leave too little space.

    Raises:
        RefusedError: it would. OSError: the disk is at fault.
    """
    found = os.statvfs(inbox)
    if found.f_bavail * found.f_frsize - more_bytes < min_free_bytes:
        raise RefusedError(507, _FULL, _FULL_CURE)


@contextmanager
def disk_faults_in_words() -> Iterator[None]:
    """Refuse a request where the disk fails it.

    Raises:
        RefusedError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        if is_full(error.errno):
            raise RefusedError(507, _FULL, _FULL_CURE) from error
        cure = "`zssr-daemon check` says what is wrong with the folders"
        raise RefusedError(
            503, f"the inbox cannot be written to: {error.strerror}", cure
        ) from error
