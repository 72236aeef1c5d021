"""Cluster soak: images dropped on a daemon with two nodes of Ray, while all parts are killed.

python -m stress.cluster_soak 10

Head, nodes, gateway and daemon are real, in a network namespace that holds `lo` alone. Workers,
nodes, gateway, head and daemon get SIGKILL at random, and are started again as systemd would. At
the end all that is in the inbox is worked off. Each picture must then have exactly one valid output
that shows its number, or one failed record because its workers were killed at each attempt.
Exit code 1: something is wrong.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench.provenance import provenance, save
from stress.soak.books import Books
from stress.soak.checks import final, missing, visible
from stress.soak.pictures import draw
from tests.parts.daemon_process import QUICK_ZSSR, DaemonProcess, is_alive, lines, prepare
from tests.parts.gateway_process import GatewayProcess, cluster_settings
from tests.parts.ray_cluster import RayCluster

#: Mean seconds between two kills of each victim. A head that is gone costs the nodes a minute.
_MEAN_S = {"worker": 20.0, "node": 120.0, "gateway": 100.0, "daemon": 100.0, "head": 300.0}

#: A job takes a second or two, so most blows hit one.
_ZSSR = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 400")

_NODES = (3, 4)
_MEAN_DROP_S = 1.5
_MAX_WAITING = 30
_TICK_S = 0.1
_LOOK_S = 1.0
_RESTART_S = 2.0  # as the units do
_DRAIN_S = 600.0


class Kept:
    """A machine of Ray that is started again whenever it ends."""

    def __init__(self, cluster: RayCluster, number: int, start: Callable[[], object]) -> None:
        self._cluster = cluster
        self._number = number
        self._start = start
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Start it no more."""
        self._is_over.set()

    def _keep(self) -> None:
        while not self._is_over.wait(_RESTART_S):
            process = self._cluster.processes[self._number]
            if process.poll() is None:
                continue
            with suppress(ProcessLookupError):  # what systemd does with a control group
                os.killpg(process.pid, signal.SIGKILL)
            if self._number in _NODES and not self._cluster.of_head():
                continue
            with suppress(AssertionError):  # it ended at once; tried again
                self._start()


class ClusterSoak:
    """One soak on one folder."""

    def __init__(self, root: Path, cluster: RayCluster, seed: int) -> None:
        self._root = root
        self._cluster = cluster
        self._random = random.Random(seed)  # noqa: S311 (no secret)
        self._books = Books()
        self._kills: list[tuple[float, str]] = []
        self._wrong: list[str] = []
        self._stack = ExitStack()
        self._inbox = prepare(root, _ZSSR, cluster_settings(cluster, local_slots="false"))

    def run(self, duration_s: float) -> dict[str, Any]:
        """Soak for `duration_s`, drain the inbox, and return the results."""
        self._start_daemon()
        self._start_gateway()
        begun_s = time.monotonic()
        self._drop_and_hit(begun_s + duration_s)
        drained_s = time.monotonic()
        self._drain(drained_s + _DRAIN_S)
        took_s = time.monotonic() - drained_s
        self._daemon.send(signal.SIGTERM)
        if self._daemon.exit_code():
            self._wrong.append("the daemon did not stop in order")
        self._gateway.exit_code()
        self._stack.close()
        return self._report(took_s)

    def _start_daemon(self) -> None:
        self._daemon = self._stack.enter_context(DaemonProcess(self._root))

    def _start_gateway(self) -> None:
        self._gateway = self._stack.enter_context(GatewayProcess(self._root, self._cluster))
        self._gateway_ended_s: float | None = None

    def _drop_and_hit(self, end_s: float) -> None:
        due_s = {victim: self._due_s(mean_s) for victim, mean_s in _MEAN_S.items()}
        drop_s = look_s = 0.0
        while (now_s := time.monotonic()) < end_s and not self._wrong:
            time.sleep(_TICK_S)
            self._restart()
            for victim, mean_s in _MEAN_S.items():
                if now_s >= due_s[victim] and self._kill(victim):
                    due_s[victim] = self._due_s(mean_s)
            if now_s >= drop_s and self._waiting() < _MAX_WAITING:
                drop_s = self._due_s(_MEAN_DROP_S)
                self._drop()
            if now_s >= look_s:
                look_s = now_s + _LOOK_S
                self._wrong += missing(self._root, self._books)

    def _due_s(self, mean_s: float) -> float:
        return time.monotonic() + self._random.expovariate(1 / mean_s)

    def _restart(self) -> None:
        """Start daemon and gateway again where they have ended."""
        if not is_alive(self._daemon.pid):
            self._start_daemon()
        if is_alive(self._gateway.pid):
            return
        if self._gateway_ended_s is None:
            self._gateway.exit_code()
            self._gateway_ended_s = time.monotonic()
        elif time.monotonic() - self._gateway_ended_s > _RESTART_S:
            self._start_gateway()

    def _kill(self, victim: str) -> bool:
        """Kill a process of a kind; tell whether there was one."""
        names = [f"{self._cluster.net}.{number}" for number in _NODES]
        match victim:
            case "worker":
                pids = [pid for name in names for pid in self._cluster.actors(name)]
            case "node":
                pids = [pid for name in names for pid in self._cluster.raylets(name)]
            case "gateway":
                pids = [self._gateway.pid] if is_alive(self._gateway.pid) else []
            case "head":
                pids = self._cluster.of_head()
            case _:
                pids = [self._daemon.pid]
        if not pids:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._random.choice(pids), signal.SIGKILL)
            self._kills.append((time.time(), victim))
        if victim == "daemon":
            self._daemon.exit_code()
        return True

    def _drop(self) -> None:
        number = self._books.number()
        drawn = draw(number)
        entry = self._books.enter(number, drawn.content, "cluster", is_good=True)
        part = self._inbox / f".{number}.part"
        part.write_bytes(drawn.content)
        entry.inode = part.stat().st_ino
        part.rename(self._inbox / f"{number:06}{drawn.suffix}")

    def _waiting(self) -> int:
        return sum(1 for _ in visible(self._inbox))

    def _drain(self, deadline_s: float) -> None:
        """Let all that is left be worked off, by whatever is started again."""
        while self._waiting() and not self._wrong:
            if time.monotonic() > deadline_s:
                self._wrong.append(f"the inbox was not drained after {_DRAIN_S:.0f} s")
            self._restart()
            time.sleep(_TICK_S)

    def _report(self, drain_s: float) -> dict[str, Any]:
        results, wrong = final(self._root, self._books)
        log = lines(self._root)
        events = Counter(line["event"] for line in log)
        wrong += ["internal_error in the log"] if events["internal_error"] else []
        ends = Counter(line["reason"] for line in log if line["event"] == "worker_restarted")
        done = [line for line in log if line["event"] == "job_done"]
        return {
            "images": len(self._books.contents),
            "kills": Counter(victim for _, victim in self._kills),
            "results": results,
            "by_node": Counter(line.get("node", "") for line in done),
            "attempts": Counter(line["attempt"] for line in done),
            "ends_of_workers": ends,
            "events": events,
            "events_of_gateways": Counter(line["event"] for line in gateway_lines(self._root)),
            "longest_recovery_s": longest_recovery_s(self._kills, done),
            "drain_s": round(drain_s, 1),
            "wrong": [*self._wrong, *wrong],
        }


def gateway_lines(root: Path) -> list[dict[str, Any]]:
    """Return the log of all gateways; one that was killed may have left half a line."""
    found = []
    for line in (root / "gateway.jsonl").read_bytes().splitlines():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def longest_recovery_s(
    kills: list[tuple[float, str]], done: list[dict[str, Any]]
) -> dict[str, float]:
    """Return, for each victim, the longest time from a kill to the next image that was done."""
    ends_s = [seconds_of(line["timestamp"]) for line in done]
    found: dict[str, float] = {}
    for kill_s, victim in kills:
        waits_s = [end_s - kill_s for end_s in ends_s if end_s > kill_s]
        if waits_s:
            found[victim] = max(found.get(victim, 0.0), round(min(waits_s), 1))
    return found


def seconds_of(timestamp: str) -> float:
    """Return a time of the log as seconds since the epoch."""
    return datetime.fromisoformat(timestamp).timestamp()


def soak(root: Path, seed: int, duration_s: float) -> dict[str, Any]:
    """Start a cluster, soak on it, and end all of it."""
    cluster = RayCluster()
    kept: list[Kept] = []
    try:
        cluster.start_head()
        kept.append(Kept(cluster, 2, cluster.start_head))
        for number in _NODES:
            cluster.start_node(number)
            kept.append(Kept(cluster, number, partial(cluster.start_node, number)))
        return ClusterSoak(root, cluster, seed).run(duration_s)
    finally:
        for each in kept:
            each.end()
        cluster.close()


def main() -> None:
    """Run the soak, print the summary, write it to bench/results/."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-write", action="store_true", help="print only")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="zssr-cluster-soak-"))
    report = {**provenance(), "minutes": options.minutes, "seed": options.seed}
    report |= soak(root, options.seed, options.minutes * 60)
    print(json.dumps(report, indent=1))
    if not options.no_write:
        save(report, "cluster_soak.json")
    if report["wrong"]:
        print(f"kept {root}")
    else:
        shutil.rmtree(root)
    sys.exit(1 if report["wrong"] else 0)


if __name__ == "__main__":
    main()
