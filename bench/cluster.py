"""Cluster bench: what a cluster adds to a job, what its head carries, and what bytes cost.

python -m bench.cluster

Everything runs on this machine, in a network namespace that holds `lo` alone: `--images` tiny
pictures by two local workers, then the same by two nodes of Ray with one worker each; after that
sources of several sizes there and back, as the gateway moves them. CPU seconds are those of the
processes themselves, so a busy machine disturbs them less than the clock.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.provenance import provenance, save
from tests.parts.daemon_process import ENDLESS_ZSSR, QUICK_ZSSR, DaemonProcess, prepare, wait_until
from tests.parts.gateway_process import GatewayProcess, cluster_settings
from tests.parts.picture_files import smooth_picture
from tests.parts.ray_cluster import ROOT, RayCluster

#: So little work that what surrounds it shows.
_ZSSR = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 4")

_SLOTS = 2
_IDLE_S = 20.0
_BUSY_S = 30.0
_STORE_BYTES = 400_000_000  # holds the largest source twice, so that nothing goes by a disk
_TICK_S = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print, and write to bench/results/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    report = {**provenance(), "images": options.images, "slots": _SLOTS, **measure(options.images)}
    print(json.dumps(report, indent=1))
    if not options.no_write:
        save(report, "cluster.json")


def measure(images: int) -> dict[str, Any]:
    """Run all parts."""
    report: dict[str, Any] = {"local": local(images)}
    cluster = RayCluster(store_bytes=_STORE_BYTES)
    try:
        cluster.start_head()
        for number in (3, 4):
            cluster.start_node(number)
        report["cluster"] = remote(cluster, images)
        report["bytes"] = moved(cluster)
    finally:
        cluster.close()
    for name in ("median", "quickest"):
        key = f"{name}_ms_beside_compute"
        report[f"added_ms_a_job_{name}"] = round(report["cluster"][key] - report["local"][key], 1)
    return report


def local(images: int) -> dict[str, Any]:
    """Measure two workers of the daemon's own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        inbox = prepare(root, _ZSSR)
        settings = root / "settings.toml"
        text = settings.read_text().replace("processes_per_device = 1", "processes_per_device = 2")
        settings.write_text(text)
        with DaemonProcess(root) as daemon:
            wait_until(lambda: len(ready(daemon)) >= _SLOTS, "the workers")
            seconds = drain(daemon, inbox, images)
            return {"seconds": seconds, **of_jobs(daemon), **cpu_a_job(daemon.pid, images)}


def remote(cluster: RayCluster, images: int) -> dict[str, Any]:
    """Measure two nodes of one worker each."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        inbox = prepare(root, _ZSSR, cluster_settings(cluster, local_slots="false"))
        with DaemonProcess(root) as daemon, GatewayProcess(root, cluster) as gateway:
            wait_until(lambda: len(ready(daemon)) >= _SLOTS, "the nodes")
            head = [pid for pid in cluster.space.pids() if is_of_head(pid, cluster)]
            before_s = {"gateway": cpu_s([gateway.pid]), "head": cpu_s(head)}
            time.sleep(_IDLE_S)
            idle_s = {"gateway": cpu_s([gateway.pid]), "head": cpu_s(head)}
            seconds = drain(daemon, inbox, images)
            after_s = {"gateway": cpu_s([gateway.pid]), "head": cpu_s(head)}
            watched = {"gateway": [gateway.pid], "head": head, "supervisor": [daemon.pid]}
            return {
                "percent_of_a_core_for_a_busy_slot": busy(daemon, inbox, watched),
                "seconds": seconds,
                "idle_percent_of_a_core": {
                    name: round(100 * (idle_s[name] - before_s[name]) / _IDLE_S, 1)
                    for name in idle_s
                },
                "cpu_ms_a_job": {
                    name: round(1000 * (after_s[name] - idle_s[name]) / images, 1)
                    for name in idle_s
                },
                **of_jobs(daemon),
                **cpu_a_job(daemon.pid, images),
            }


def busy(daemon: DaemonProcess, inbox: Path, watched: dict[str, list[int]]) -> dict[str, float]:
    """Measure what long jobs cost while they are in work, for each slot."""
    for slot in range(_SLOTS):
        (inbox / f"long{slot}.toml").write_text(f"[zssr]{ENDLESS_ZSSR}")
        smooth_picture(20, 15).save(inbox / f"long{slot}.png")
    for slot in range(_SLOTS):
        daemon.wait_for("job_progress", image=f"long{slot}.png", stage="fit")
    before_s = {name: cpu_s(pids) for name, pids in watched.items()}
    time.sleep(_BUSY_S)
    return {
        name: round(100 * (cpu_s(pids) - before_s[name]) / _BUSY_S / _SLOTS, 2)
        for name, pids in watched.items()
    }


def drain(daemon: DaemonProcess, inbox: Path, images: int) -> float:
    """Drop images at once; return the seconds from the first start to the last end."""
    for number in range(images):
        smooth_picture(20, 15).save(inbox / f".{number}", "PNG")
    for number in range(images):
        (inbox / f".{number}").rename(inbox / f"{number}.png")
    wait_until(lambda: len(times(daemon, "job_done")) == images, "all images")
    return round(times(daemon, "job_done")[-1] - times(daemon, "job_started")[0], 2)


def of_jobs(daemon: DaemonProcess) -> dict[str, float]:
    """Return the time of a job from its start to its end, less what its worker computed.

    On a busy machine the median favours the cluster: the kernel gives each session its share, and
    nodes have more sessions than a daemon with its own workers. The quickest twentieth of the jobs
    met a free core.
    """
    began = {line["job_id"]: line for line in daemon.log() if line["event"] == "job_started"}
    beside_s = sorted(
        at_s(line) - at_s(began[line["job_id"]]) - sum(line["seconds"].values())
        for line in daemon.log()
        if line["event"] == "job_done"
    )
    return {
        "median_ms_beside_compute": round(1000 * statistics.median(beside_s), 1),
        "quickest_ms_beside_compute": round(1000 * beside_s[len(beside_s) // 20], 1),
    }


def at_s(line: dict[str, Any]) -> float:
    """Return the time of a line of the log, in seconds."""
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def ready(daemon: DaemonProcess) -> list[float]:
    """Return when workers became ready."""
    return times(daemon, "worker_ready")


def times(daemon: DaemonProcess, event: str) -> list[float]:
    """Return the times of an event, in seconds."""
    return [at_s(line) for line in daemon.log() if line["event"] == event]


def cpu_a_job(supervisor: int, images: int) -> dict[str, float]:
    """Return the milliseconds of the supervisor, its start among them."""
    return {"supervisor_cpu_ms_a_job": round(1000 * cpu_s([supervisor]) / images, 1)}


def cpu_s(pids: list[int]) -> float:
    """Return the CPU seconds that processes have used, all threads together."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / _TICK_S
    return total


def is_of_head(pid: int, cluster: RayCluster) -> bool:
    """Tell whether a process is Ray's on the head."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        address = f"{cluster.net}.2"
        is_raylet = "raylet/raylet" in words and f"--node_ip_address={address}" in words
        return is_raylet or any(name in words for name in ("gcs_server", "monitor.py", "dashboard"))
    return False


def moved(cluster: RayCluster) -> list[dict[str, float]]:
    """Move sources of several sizes to a node and back, as a driver of Ray inside."""
    command = [sys.executable, "-m", "bench.cluster_bytes", cluster.address]
    done = subprocess.run(
        cluster.space.command(*command),
        env=os.environ | cluster.environment | {"PYTHONPATH": str(ROOT)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
