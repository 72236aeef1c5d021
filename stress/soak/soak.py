"""Soak: one daemon, one folder, and all that is done to both at once."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from stress.soak.books import Books
from stress.soak.chaos import Chaos
from stress.soak.checks import final, missing, visible
from stress.soak.teller import Teller
from stress.soak.writers import UNREADABLE_AFTER_S, Writers
from tests.parts.daemon_process import QUICK_ZSSR, DaemonProcess, is_alive, lines, prepare

#: A job takes about half a second, so most blows hit one.
_ZSSR = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 250")

_STABLE_AFTER_S = 0.5
_MEAN_DROP_S = 0.6
_WRITERS_AT_ONCE = 8
_MAX_WAITING = 40
_DRAIN_S = 900.0
_LOOK_S = 1.0
_STREAMS = 3  # of random numbers: drops, writers, chaos


class Soak:
    """One soak on one folder."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root = root
        self._seeds = [seed * _STREAMS + stream for stream in range(_STREAMS)]
        self._books = Books()
        self._chaos = Chaos(root, self._seeds[0])
        self._looks = 0
        self._wrong: list[str] = []

    def run(self, duration_s: float) -> dict[str, Any]:
        """Soak for so long, drain, and return what came of it."""
        inbox = prepare(
            self._root,
            _ZSSR,
            stable_after_s=_STABLE_AFTER_S,
            unreadable_after_s=UNREADABLE_AFTER_S,
        )
        outside = self._root / "outside"
        outside.mkdir()
        writers = Writers(inbox, outside, self._books, self._seeds[1])
        is_over = threading.Event()
        look = threading.Thread(target=self._look, args=(is_over,), daemon=True)
        look.start()
        drops = self._drop_and_hit(writers.kinds(), time.monotonic() + duration_s)
        started_s = time.monotonic()
        wrong = self._drain()
        is_over.set()
        look.join()
        self._chaos.orphans.wait_for_the_last()
        return self._report(drops, wrong, time.monotonic() - started_s)

    def _drop_and_hit(self, kinds: list[Callable[[], None]], end_s: float) -> Counter[str]:
        """Let writers and chaos loose until `end_s`; return how often each writer wrote."""
        chance = random.Random(self._seeds[2])  # noqa: S311 (no secret)
        drops: Counter[str] = Counter()
        chaos = threading.Thread(target=self._live, args=(end_s,))
        chaos.start()
        with ThreadPoolExecutor(_WRITERS_AT_ONCE) as pool, Teller(end_s) as teller:
            written: list[Future[None]] = []
            while time.monotonic() < end_s:
                time.sleep(min(chance.expovariate(1 / _MEAN_DROP_S), 5 * _MEAN_DROP_S))
                teller.tell(self._state(), self._wrong + self._chaos.wrong)
                if self._waiting() < _MAX_WAITING:  # or the drain would outlast the soak
                    kind = chance.choice(kinds)
                    drops[kind.__name__] += 1
                    written.append(pool.submit(kind))
        chaos.join()
        for future in written:
            future.result()  # a writer's own fault ends the soak
        return drops

    def _live(self, end_s: float) -> None:
        while time.monotonic() < end_s:
            self._chaos.live(end_s)

    def _look(self, is_over: threading.Event) -> None:
        """Look again and again whether a picture is missing."""
        while not is_over.wait(_LOOK_S) and not self._wrong:
            self._wrong += missing(self._root, self._books)
            self._looks += 1

    def _waiting(self) -> int:
        """Count the files of the inbox that the daemon still has to take out of it."""
        return sum(1 for _ in visible(self._root / "inbox")) - len(self._books.left_alone)

    def _drain(self) -> list[str]:
        """Let the daemon work off what is left; return what is wrong with its end."""
        deadline_s = time.monotonic() + _DRAIN_S
        try:
            with DaemonProcess(self._root, "--once") as daemon:
                while is_alive(daemon.pid) and time.monotonic() < deadline_s:
                    time.sleep(_LOOK_S)
                if is_alive(daemon.pid):
                    return [f"`run --once` had not drained the inbox after {_DRAIN_S:.0f} s"]
                code = daemon.exit_code()
        except AssertionError as error:
            return [f"daemon: {error}"]
        return [] if code in {0, 1} else [f"exit code {code} of `run --once`"]

    def _state(self) -> str:
        kills = " ".join(f"{victim} {count}" for victim, count in self._chaos.kills.items())
        return f"{len(self._books.contents)} images; killed: {kills}"

    def _report(self, drops: Counter[str], wrong: list[str], drain_s: float) -> dict[str, Any]:
        results, wrong_at_end = final(self._root, self._books)
        log = Counter(line["event"] for line in lines(self._root))
        wrong += ["internal_error in the log"] if log["internal_error"] else []
        chaos = self._chaos
        return {
            "images": len(self._books.contents) + len(self._books.refused),
            "drops": dict(drops),
            "kills": dict(chaos.kills),
            "results": results,
            "events": dict(log),
            "looks_for_missing": self._looks,
            "raced_by_a_writer": len(self._books.raced),
            "longest_stop_s": round(chaos.longest_stop_s, 2),
            "longest_orphan_s": round(chaos.orphans.longest_s, 2),
            "most_open_files": chaos.most_open_files,
            "open_files_growth": chaos.file_growth,
            "drain_s": round(drain_s, 1),
            "wrong": [*self._wrong, *chaos.wrong, *chaos.orphans.wrong, *wrong, *wrong_at_end],
        }
