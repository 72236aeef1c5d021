"""Confinement: a process lowers its own limits before it touches what an outsider sent.

The limits cannot be raised again, and hold for everything that the process does from then on.
"""

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Final

#: A file that takes longer to decode than this counts as an attack.
DECODE_TIMEOUT_S: Final = 120.0

_MAX_OPEN_FILES: Final = 64

# On the kernel's scale up to 1000: when memory runs out, a confined process is killed before the
# workers and the supervisor.
_OOM_SCORE: Final = 900


def confine(
    room_bytes: int, *, cpu_s: int | None = None, max_written_bytes: int | None = None
) -> None:
    """Lower this process's limits: memory, open files, no core dump.

    Args:
        room_bytes: the address space that it may take beyond what it holds now.
        cpu_s: the time that it may compute in all; None is without end.
        max_written_bytes: the size up to which it may write a file; None is without end.
    """
    _lower(resource.RLIMIT_AS, _address_space_bytes() + room_bytes)
    _lower(resource.RLIMIT_NOFILE, _MAX_OPEN_FILES)
    _lower(resource.RLIMIT_CORE, 0)
    if cpu_s is not None:
        _lower(resource.RLIMIT_CPU, cpu_s)
    if max_written_bytes is not None:
        _lower(resource.RLIMIT_FSIZE, max_written_bytes)
    # This only protects the other processes; where it is refused, nothing depends on it.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE))


def _lower(limit: int, value: int) -> None:
    """Set soft and hard limit to `value`, unless the hard one is lower already."""
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))


def _address_space_bytes() -> int:
    """Return the address space in use, in bytes; libraries with many threads reserve gigabytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")
