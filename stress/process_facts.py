"""Process facts: what /proc says about a running process."""

import os
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Return the processor seconds a process has used, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def memory_bytes(pid: int, *, is_peak: bool) -> int:
    """Return the resident memory of a process, now or at its peak."""
    key = "VmHWM:" if is_peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def open_files(pid: int) -> list[str]:
    """Return what each descriptor of a process refers to ("socket:[1]", a path), sorted."""
    names = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            names.append(str(link.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return sorted(names)
