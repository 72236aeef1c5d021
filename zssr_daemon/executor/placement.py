"""Placement: on which device, and with how much of it, each worker process runs."""

import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon.settings.schema import Worker
from zssr_daemon.system.cgroup import cpu_quota, memory_bytes

# A fit is far too small to gain from threads, so on a CPU each core gets a process of its own;
# each holds about 0.8 GB, so a large machine must ask for more by name.
_MAX_AUTO_PROCESSES = 8

# With a lower mark, a worker would be replaced after every other photograph.
_MIN_AUTO_BYTES = 2 << 30

# What several processes may take of their card together: each has a context besides, of some
# hundred MB, which no limit counts.
_AUTO_CARD_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Placement:
    """The device, the number of threads, and the part of a card's memory of one worker process."""

    device: str  # "cpu", "cuda:0", or "auto:0": the first CUDA device, the CPU where it fails
    threads: int
    memory_share: float = 1.0  # of the card's memory; 1 on a CPU, where `memory_mark_bytes` counts


def placements(worker: Worker) -> list[Placement]:
    """Spread workers over the devices, the cores over them, and each card's memory over its own."""
    devices = _auto_devices() if worker.devices == "auto" else list(worker.devices)
    places = [device for device in devices for _ in range(_processes_on(device, worker))]
    share = max(1, cores() // len(places)) if worker.threads == "auto" else worker.threads
    parts = {name: _memory_share(name, worker, count) for name, count in Counter(places).items()}
    return [Placement(device, share, parts[device]) for device in places]


def memory_mark_bytes(worker: Worker, processes: int) -> int:
    """Return the bytes that each of `processes` may hold between jobs: together half the memory."""
    if worker.max_memory_bytes != "auto":
        return worker.max_memory_bytes
    return max(_MIN_AUTO_BYTES, memory_bytes() // 2 // processes)


def cores() -> int:
    """Count the cores this process may use; of a core that is granted in part, the whole counts."""
    allowed = len(os.sched_getaffinity(0))
    quota = cpu_quota()
    return allowed if quota is None else min(allowed, max(1, math.ceil(quota)))


def _processes_on(device: str, worker: Worker) -> int:
    if worker.processes_per_device != "auto":
        return worker.processes_per_device
    return 1 if _is_card(device) else min(cores(), _MAX_AUTO_PROCESSES)


def _memory_share(device: str, worker: Worker, processes: int) -> float:
    """Return how much of a card's memory each of its processes may take; one alone takes all."""
    together = worker.card_memory_share
    if not _is_card(device) or (together == "auto" and processes == 1):
        return 1.0
    return (_AUTO_CARD_SHARE if together == "auto" else together) / processes


def _is_card(device: str) -> bool:
    return device.startswith("cuda") or (device.startswith("auto") and _cards() > 0)


def _auto_devices() -> list[str]:
    """Name one device for each card; its worker uses the card, or the CPU where the card fails."""
    return [f"auto:{index}" for index in range(max(1, _cards()))]


def _cards() -> int:
    """Count the NVIDIA cards, without loading torch."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
