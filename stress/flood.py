"""Flood: thousands of images dropped at once, more than the kernel's event queue holds.

python -m stress.flood 20000

The daemon is stopped (SIGSTOP) while the images are dropped, so its event queue overflows; then
it goes on, and the time until the last image is queued is measured. Its one worker is kept busy
with a fit that does not end, so only the supervisor and the probe are measured. The waits of
`[watch]` are the defaults. Exit code 1: an image was not found, or memory went beyond
`--max-memory-mib`.
"""

import argparse
import ctypes
import os
import signal
import struct
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.provenance import provenance, save
from stress.process_facts import cpu_s, memory_bytes
from tests.parts.daemon_process import ENDLESS_ZSSR, DaemonProcess, prepare
from zssr_daemon.ledger.job import LIVE_STATES
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import Watch

_SAMPLE_S = 5.0
_LOOK_S = 0.2

#: If nothing was queued for so long, the rest will not be found.
_GIVE_UP_S = 180.0

_IN_ALL_EVENTS = 0xFFF
_IN_Q_OVERFLOW = 0x4000
_EVENT = struct.Struct("iIII")  # watch, mask, cookie, bytes of the name that follows


def main() -> None:
    """Flood one daemon, print, write to bench/results/."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="zssr-flood-") as folder:
        result = flood(Path(folder), options.images)
    for name, value in result.items():
        if name != "samples":
            print(f"{name}: {value}")
    if not options.no_write:
        save({**provenance(), "load_before": options.load, **result}, "flood.json")
    is_small = result["supervisor_peak_bytes"] <= options.max_memory_mib << 20
    sys.exit(0 if is_small and result["queued"] == options.images else 1)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=int)
    parser.add_argument("--max-memory-mib", type=int, default=300)
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args(namespace=argparse.Namespace(load=os.getloadavg()[0]))


def flood(root: Path, images: int) -> dict[str, Any]:
    """Drop the images into the inbox of a new daemon in `root`; return the numbers."""
    watch = Watch()
    inbox = prepare(
        root,
        ENDLESS_ZSSR,
        stable_after_s=watch.stable_after_s,
        unreadable_after_s=watch.unreadable_after_s,
    )
    settings = root / "settings.toml"
    text = settings.read_text()
    settings.write_text(
        text.replace("scan_interval_s = 0.5", f"scan_interval_s = {watch.scan_interval_s}")
    )
    with DaemonProcess(root) as daemon, EventWitness(inbox) as witness:
        daemon.wait_for("worker_ready")
        daemon.send(signal.SIGSTOP)
        dropping_s = drop(inbox, images)
        has_overflowed = witness.has_overflowed()
        before_cpu_s = cpu_s(daemon.pid)
        daemon.send(signal.SIGCONT)
        watcher = QueueWatch(root, daemon, images)
        seconds = watcher.until_all_are_queued()
        result = {
            "images": images,
            "queued": watcher.queued,
            "dropped_in_s": round(dropping_s, 2),
            "max_queued_events": int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()),
            "event_queue_overflowed": has_overflowed,
            "queued_in_s": round(seconds, 1),
            "queued_per_s": round(watcher.queued / seconds, 1),
            "supervisor_cpu_s": round(cpu_s(daemon.pid) - before_cpu_s, 1),
            "supervisor_peak_bytes": memory_bytes(daemon.pid, is_peak=True),
            "ledger_bytes": (root / "state" / "ledger.sqlite3").stat().st_size,
            "samples": watcher.samples,
        }
        asked_s = time.monotonic()
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
        result["stopped_in_s"] = round(time.monotonic() - asked_s, 2)
    ledger = Ledger.open_to_read(root / "state")
    names = {job.src_rel for job in ledger.in_state(*LIVE_STATES)}
    ledger.close()
    result["queued"] = len(names)  # by the ledger, each name once; the log could count one twice
    return result


def drop(inbox: Path, images: int) -> float:
    """Write tiny pictures, each with other content; return the seconds it took."""
    levels = np.random.default_rng(0).integers(0, 256, (images, 8, 8, 3), dtype=np.uint8)
    started_s = time.monotonic()
    for number, each in enumerate(levels):
        Image.fromarray(each).save(inbox / f"{number:06}.png")
    return time.monotonic() - started_s


class EventWitness:
    """A second watch on the inbox, unread like the stopped daemon's, so that it overflows too."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if libc.inotify_add_watch(self._fd, os.fsencode(folder), _IN_ALL_EVENTS) < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(folder))

    def __enter__(self) -> "EventWitness":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def has_overflowed(self) -> bool:
        """Read all events; return whether the kernel reports that it dropped some."""
        found = False
        try:
            while events := os.read(self._fd, 1 << 20):
                found |= any(mask & _IN_Q_OVERFLOW for mask in _masks(events))
        except BlockingIOError:
            pass
        return found


def _masks(events: bytes) -> list[int]:
    masks, offset = [], 0
    while offset < len(events):
        _, mask, _, name_bytes = _EVENT.unpack_from(events, offset)
        masks.append(mask)
        offset += _EVENT.size + name_bytes
    return masks


@dataclass
class QueueWatch:
    """Follows the daemon's log, which does not slow the daemon, and samples what it uses."""

    root: Path
    daemon: DaemonProcess
    images: int
    queued: int = 0
    samples: list[dict[str, float]] = field(default_factory=list)

    def until_all_are_queued(self) -> float:
        """Return the seconds until the last image was queued, or until nothing more came."""
        started_s = last_s = sampled_s = time.monotonic()
        columns = (TextColumn("queued"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with (self.root / "state" / "daemon.jsonl").open("rb") as log, Progress(*columns) as bar:
            task = bar.add_task("queued", total=self.images)
            while self.queued < self.images and time.monotonic() - last_s < _GIVE_UP_S:
                time.sleep(_LOOK_S)
                new = sum(b'"job_queued"' in line for line in log)
                self.queued += new
                last_s = time.monotonic() if new else last_s
                bar.update(task, completed=self.queued)
                if time.monotonic() - sampled_s >= _SAMPLE_S:
                    sampled_s = time.monotonic()
                    self._sample(sampled_s - started_s)
        return last_s - started_s

    def _sample(self, after_s: float) -> None:
        pid = self.daemon.pid
        self.samples.append(
            {
                "after_s": round(after_s, 1),
                "queued": self.queued,
                "supervisor_cpu_s": round(cpu_s(pid), 1),
                "supervisor_bytes": memory_bytes(pid, is_peak=False),
            }
        )


if __name__ == "__main__":
    main()
