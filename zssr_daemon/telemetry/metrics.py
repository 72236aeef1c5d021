"""Metrics: what a daemon has done and is doing, as a text file for Prometheus' node exporter.

Labels never hold file names. Times are moments and not ages, so that they stay true until the
file is written again.
"""

import os
import time
from collections import Counter as Counts
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    write_to_textfile,
)
from prometheus_client.core import GaugeMetricFamily

from zssr_daemon import __version__
from zssr_daemon.errors import Reason
from zssr_daemon.telemetry.status import Status, WorkerStatus

#: The file is written this often, in seconds.
WRITE_S = 15.0

_BUCKETS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)

#: Labels of `zssr_worker_restarts` that differ from the word of the log; alert rules use them.
_RESTART_LABELS = {"silent": "timeout", "device_lost": "cuda"}

#: The reasons for which the queue can be paused.
PAUSE_REASONS = (
    Reason.DISK_FULL,
    Reason.FOLDER_MISSING,
    Reason.DEVICE_LOST,
    Reason.CHILDREN_UNAVAILABLE,
)

_Families = Iterator[GaugeMetricFamily]


class FileResult(StrEnum):
    """What the gate decided about a file."""

    READY = "ready"
    IGNORED = "ignored"  # not an image
    UNSAFE = "unsafe"  # refused
    DUPLICATE = "duplicate"  # another name of a file that is queued, or done and kept


class Outcome(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    FAILED = "failed"
    RETRIED = "retried"  # it failed, and a reattempt follows
    CANCELLED = "cancelled"  # an administrator stopped the job
    INTERRUPTED = "interrupted"  # the job was not at fault, and the attempt does not count


class Metrics:
    """The counters of one daemon, and the file that they are written to, with its status."""

    def __init__(self, file: Path | None = None, folders: Mapping[str, Path] | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.file = file
        self._folders = folders or {}
        self._registry = CollectorRegistry()
        registry = self._registry
        self._files = Counter(
            "zssr_files_seen",
            "Files of the inbox, by what the gate decided.",
            ["result"],
            registry=registry,
        )
        self._jobs = Counter(
            "zssr_jobs", "Ends of attempts.", ["outcome", "reason"], registry=registry
        )
        self._seconds = Histogram(
            "zssr_job_duration_seconds",
            "Seconds of finished jobs, by stage.",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self._watch_restarts = Counter(
            "zssr_watch_restarts", "Watches that died and were rebuilt.", registry=registry
        )
        self._worker_restarts = Counter(
            "zssr_worker_restarts", "Worker processes replaced.", ["reason"], registry=registry
        )
        self._snapshot = _Snapshot()
        registry.register(self._snapshot)
        for result in FileResult:
            self._files.labels(result)

    def file_seen(self, result: FileResult) -> None:
        """Count a file of the inbox."""
        self._files.labels(result).inc()

    def job_ended(self, outcome: Outcome, reason: str = "") -> None:
        """Count the end of an attempt."""
        self._jobs.labels(outcome, reason).inc()
        if outcome is Outcome.DONE:
            self._snapshot.last_success_at = time.time()

    def job_took(self, seconds: Mapping[str, float], total_s: float, gpu_peak_bytes: int) -> None:
        """Note the seconds of a finished job, by stage and in all, and its peak of GPU memory."""
        for stage, value in seconds.items():
            self._seconds.labels(stage).observe(value)
        self._seconds.labels("total").observe(total_s)
        self._snapshot.gpu_peak_bytes = max(gpu_peak_bytes, self._snapshot.gpu_peak_bytes)

    def worker_ready(self, torch_version: str) -> None:
        """Note the version of torch that the workers use."""
        self._snapshot.torch_version = torch_version

    def worker_restarted(self, reason: str) -> None:
        """Count a worker process that was replaced."""
        self._worker_restarts.labels(_RESTART_LABELS.get(reason, reason)).inc()

    def watch_restarted(self, times: int) -> None:
        """Count watches that were rebuilt."""
        self._watch_restarts.inc(times)

    def write(self, status: Status, *, scan_took_s: float, publishing: int) -> None:
        """Replace the file by one with the present values; do nothing without a file.

        Args:
            status: the daemon's status now.
            scan_took_s: seconds of the last scan of the inbox.
            publishing: the number of jobs whose output is being published.

        Raises:
            OSError: it cannot be written.
        """
        if self.file is not None:
            self._snapshot.status = status
            self._snapshot.scan_took_s = scan_took_s
            self._snapshot.publishing = publishing
            self._snapshot.free_bytes = _free_bytes(self._folders)
            write_to_textfile(str(self.file), self._registry)


class _Snapshot:
    """The values at the moment of writing, which Prometheus' client collects from here."""

    def __init__(self) -> None:
        self.status: Status | None = None
        self.torch_version = ""
        self.last_success_at = 0.0
        self.scan_took_s = 0.0
        self.publishing = 0
        self.gpu_peak_bytes = 0
        self.free_bytes: dict[str, int] = {}

    def collect(self) -> _Families:
        """Yield the metric families of which something is known."""
        status = self.status
        if status is None:
            return
        yield self._build_info()
        yield _labelled("zssr_jobs", "Jobs by state.", "state", self._jobs(status))
        yield from self._moments(status)
        yield _plain("zssr_scan_duration_seconds", "The last scan.", self.scan_took_s)
        backend = {str(status.watch): 1.0}
        yield _labelled("zssr_watch_backend", "How changes are noticed.", "backend", backend)
        reason = status.pause and status.pause.reason
        pauses = {str(name): float(name == reason) for name in PAUSE_REASONS}
        yield _labelled("zssr_paused", "Whether the queue waits.", "reason", pauses)
        yield _labelled("zssr_disk_free_bytes", "Free space.", "folder", self.free_bytes)
        yield _plain(
            "zssr_gpu_memory_peak_bytes", "Most that a job held.", float(self.gpu_peak_bytes)
        )
        yield _workers(status)
        fractions = [job.fraction for job in status.jobs]
        mean = sum(fractions) / len(fractions) if fractions else 0.0
        yield _plain("zssr_job_progress_ratio", "Mean of the jobs in work.", mean)

    def _build_info(self) -> GaugeMetricFamily:
        torch, _, cuda = self.torch_version.partition("+")
        labels = {"version": __version__, "torch": torch, "cuda": cuda}
        family = GaugeMetricFamily("zssr_build_info", "What runs.", labels=list(labels))
        family.add_metric(list(labels.values()), 1.0)
        return family

    def _jobs(self, status: Status) -> dict[str, float]:
        return {
            "settling": status.settling,
            "queued": status.queued,
            "running": len(status.jobs),
            "publishing": self.publishing,
            "failed": status.failed,
        }

    def _moments(self, status: Status) -> _Families:
        for name, text, moment in (
            (
                "oldest_queued",
                "The job that waits longest; absent without one.",
                status.oldest_queued_at,
            ),
            ("last_success", "The last job done; absent before the first.", self.last_success_at),
            ("last_scan", "The last look at the whole inbox.", status.last_scan_at),
        ):
            if moment:
                yield _plain(f"zssr_{name}_timestamp_seconds", text, moment)


def _workers(status: Status) -> GaugeMetricFamily:
    """Count the places for workers, by the machine they are on and by how they are."""
    counts = Counts((worker.node, _state_of(worker)) for worker in status.workers)
    family = GaugeMetricFamily("zssr_workers", "Workers by state.", labels=["node", "state"])
    for labels, count in counts.items():
        family.add_metric(labels, float(count))
    return family


def _state_of(worker: WorkerStatus) -> str:
    if not worker.is_well:
        return "silent"
    return "ready" if worker.is_ready else "starting"


def _plain(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _free_bytes(folders: Mapping[str, Path]) -> dict[str, int]:
    free = {}
    for name, folder in folders.items():
        try:
            status = os.statvfs(folder)
        except OSError:  # it is gone, or its share fails: then the daemon pauses and says so
            continue
        free[name] = status.f_bavail * status.f_frsize
    return free
