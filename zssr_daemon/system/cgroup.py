"""Control group: how much memory and processor time we get, and how many processes were killed."""

import os
from pathlib import Path


def oom_kills(root: Path = Path("/")) -> int:
    """Count the processes that the kernel killed because memory ran out.

    They are counted in our control group where it has a counter, else on the whole machine.
    """
    for counter in (
        _own(root, "", "sys/fs/cgroup") / "memory.events",
        _own(root, "memory", "sys/fs/cgroup/memory") / "memory.oom_control",
        root / "proc/vmstat",
    ):
        count = _value(counter, "oom_kill")
        if count is not None:
            return count
    return 0


def memory_bytes(root: Path = Path("/")) -> int:
    """Return the bytes of memory of the machine, or of our control group where that has less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for limit in (
        _own(root, "", "sys/fs/cgroup") / "memory.max",
        _own(root, "memory", "sys/fs/cgroup/memory") / "memory.limit_in_bytes",
    ):
        text = _text(limit).strip()
        if text.isdigit():  # else there is no limit, or no such group
            return min(machine, int(text))
    return machine


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return how many processors' time our control group gets, as by `--cpus 2`; None: of all.

    A group above ours can have less than ours, so the smallest counts.
    """
    quotas = [
        quota
        for controller, mount, read in (
            ("", "sys/fs/cgroup", _quota_of_version_2),
            ("cpu", "sys/fs/cgroup/cpu", _quota_of_version_1),
        )
        for group in _with_parents(_own(root, controller, mount), root / mount)
        if (quota := read(group)) is not None
    ]
    return min(quotas, default=None)


def _quota_of_version_2(group: Path) -> float | None:
    quota, _, period = _text(group / "cpu.max").partition(" ")
    return int(quota) / int(period) if quota.isdigit() else None  # "max": there is no limit


def _quota_of_version_1(group: Path) -> float | None:
    quota = _text(group / "cpu.cfs_quota_us").strip()
    period = _text(group / "cpu.cfs_period_us").strip()
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else None  # -1: none


def _with_parents(group: Path, top: Path) -> list[Path]:
    """Return a group and those above it; in a container only the top may be there."""
    inside = [each for each in group.parents if each.is_relative_to(top)]
    return [group, *inside, top]


def _own(root: Path, controller: str, mount: str) -> Path:
    """Return our group's folder; version 1 names its `controller`, version 2 has an empty name."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return root / mount / path.lstrip("/")
    return root / mount


def _value(file: Path, key: str) -> int | None:
    for line in _text(file).splitlines():
        name, _, value = line.partition(" ")
        if name == key:
            return int(value)
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
