"""The soak's chaos: daemons that are killed and stopped at random, and what they leave behind."""

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from stress.process_facts import open_files
from tests.parts.daemon_process import DaemonProcess, is_alive

#: Mean seconds between two blows at each victim; the times are exponential, so some come at once.
_MEAN_S = {"supervisor": 25.0, "worker": 15.0, "probe": 12.0, "stop": 60.0}

_TICK_S = 0.1
_FILES_EVERY_S = 0.5

#: A life must have so many samples of its open files before growth means anything.
_MIN_SAMPLES = 20
_MAX_GROWTH = 2

#: A supervisor that ends in order must do so within this; its children after any end, too.
_MAX_STOP_S = 10.0
_MAX_ORPHAN_S = 30.0

_OOM_SCORE_OF_PROBE = 900  # how a probe and a worker, alike otherwise, are told apart
_OOM_SCORE_OF_WORKER = 500

#: In the environment of every process of one soak, by which it is found.
MARK = "SOAK_OF_THE_DAEMON"


class Chaos:
    """Runs one daemon after another on `root` until told to stop."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root = root
        self._random = random.Random(seed)  # noqa: S311 (no secret)
        self.kills: Counter[str] = Counter()
        self.orphans = Orphans()
        self.wrong: list[str] = []
        self.longest_stop_s = 0.0
        self.most_open_files = 0
        self.file_growth: list[int] = []  # of each life that was long enough

    def live(self, until_s: float) -> None:
        """Start a daemon, hit at it and its children, and end it; `until_s` is monotonic time."""
        kill_s, stop_s = self._due_s("supervisor"), self._due_s("stop")
        try:
            with DaemonProcess(self._root) as daemon:
                self._hit_children(daemon, min(kill_s, stop_s, until_s))
                self._end(daemon, is_kill=kill_s < min(stop_s, until_s))
        except AssertionError as error:
            self.wrong.append(f"daemon: {error}")

    def _due_s(self, victim: str) -> float:
        return time.monotonic() + self._random.expovariate(1 / _MEAN_S[victim])

    def _hit_children(self, daemon: DaemonProcess, end_s: float) -> None:
        """Kill workers and probes now and then, and watch the supervisor's open files."""
        due = {victim: self._due_s(victim) for victim in ("worker", "probe")}
        samples: list[tuple[int, int]] = []
        sample_s = 0.0
        while time.monotonic() < end_s and is_alive(daemon.pid):
            time.sleep(_TICK_S)
            children = daemon.children()
            for victim, due_s in due.items():
                if time.monotonic() >= due_s and self._kill(victim, children):
                    due[victim] = self._due_s(victim)
            if time.monotonic() >= sample_s:
                sample_s = time.monotonic() + _FILES_EVERY_S
                with suppress(FileNotFoundError):
                    samples.append((len(children), len(open_files(daemon.pid))))
                self.orphans.look(daemon.pid)
        self._judge_files(samples)

    def _kill(self, victim: str, children: list[int]) -> bool:
        score = _OOM_SCORE_OF_PROBE if victim == "probe" else _OOM_SCORE_OF_WORKER
        victims = [pid for pid in children if _oom_score(pid) == score]
        if not victims:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._random.choice(victims), signal.SIGKILL)
            self.kills[victim] += 1
        return True

    def _end(self, daemon: DaemonProcess, *, is_kill: bool) -> None:
        if not is_alive(daemon.pid):
            self.wrong.append(f"the daemon ended by itself with {daemon.exit_code()}")
            return
        if is_kill:
            self.kills["supervisor"] += 1
            daemon.send(signal.SIGKILL)
            daemon.exit_code()
        else:
            self._stop(daemon)

    def _stop(self, daemon: DaemonProcess) -> None:
        """Stop in order, sometimes with a second signal soon after."""
        is_ready = any(line["event"] == "worker_ready" for line in daemon.log())
        asked_s = time.monotonic()
        self.kills["ordered stop"] += 1
        daemon.send(signal.SIGTERM)
        if self._random.random() < 0.3:
            time.sleep(self._random.random())
            daemon.send(signal.SIGTERM)
        code = daemon.exit_code()
        if code != 0 and is_ready:  # before its handlers stand, a signal just ends it
            self.wrong.append(f"exit code {code} after SIGTERM")
        took_s = time.monotonic() - asked_s
        self.longest_stop_s = max(self.longest_stop_s, took_s)
        if took_s > _MAX_STOP_S:
            self.wrong.append(f"{took_s:.1f} s from SIGTERM to the end")

    def _judge_files(self, samples: list[tuple[int, int]]) -> None:
        """Compare the fewest open files early and late in a life, with all children there."""
        self.most_open_files = max([self.most_open_files, *(count for _, count in samples)])
        most_children = max((children for children, _ in samples), default=0)
        counts = [count for children, count in samples if children == most_children]
        if len(counts) < _MIN_SAMPLES:
            return
        half = len(counts) // 2
        growth = min(counts[half:]) - min(counts[:half])
        self.file_growth.append(growth)
        if growth > _MAX_GROWTH:
            self.wrong.append(f"open files grew by {growth} in {len(samples) * _FILES_EVERY_S} s")


class Orphans:
    """Processes of the soak that are not below the running daemon; they may stay for a moment."""

    def __init__(self) -> None:
        self._since_s: dict[int, float] = {}
        self.wrong: list[str] = []
        self.longest_s = 0.0

    def look(self, daemon_pid: int | None) -> bool:
        """Look at all processes; tell whether there is an orphan."""
        now_s = time.monotonic()
        found = [pid for pid in _marked() if daemon_pid not in (pid, _parent(pid))]
        self._since_s = {pid: self._since_s.get(pid, now_s) for pid in found}
        for pid, since_s in list(self._since_s.items()):
            self.longest_s = max(self.longest_s, now_s - since_s)
            if now_s - since_s > _MAX_ORPHAN_S:
                self.wrong.append(f"orphan: process {pid} outlives its daemon, now killed")
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def wait_for_the_last(self) -> None:
        """Wait until none is left, or was killed for it."""
        while self.look(None):
            time.sleep(_TICK_S)


def _marked() -> list[int]:
    """Return every process of this soak but ourselves."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):  # gone meanwhile
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def _oom_score(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    except OSError:
        return 0
