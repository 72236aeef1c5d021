"""Soak: images dropped at random by all kinds of writers, while everything is killed at random.

python -m stress.soak 15

The real daemon works in a folder of its own. Its supervisor, workers and probe get SIGKILL, the
supervisor SIGTERM too, and is started again each time. Meanwhile it is looked after whether each
picture has its original or an output. At the end `run --once` drains the inbox, and each content
that was dropped must have come to exactly one valid output, which shows that content's number, or
one failed record, with nothing doubled, left over or leaked. Exit code 1: something is wrong.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from bench.provenance import provenance, save
from stress.soak_books import Books
from stress.soak_chaos import MARK, Chaos
from stress.soak_checks import final, missing, visible
from stress.soak_writers import UNREADABLE_AFTER_S, Writers
from tests.parts.daemon_process import QUICK_ZSSR, DaemonProcess, is_alive, lines, prepare

#: A job takes about half a second, so most blows hit one.
_ZSSR = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 250")

_STABLE_AFTER_S = 0.5
_MEAN_DROP_S = 0.6
_WRITERS_AT_ONCE = 8
_MOST_WAITING = 40
_DRAIN_S = 900.0
_LOOK_S = 1.0
_TELL_S = 15.0
_STREAMS = 3  # of random numbers: drops, writers, chaos


def main() -> None:
    """Soak, print the summary, write to bench/results/."""
    options = parse()
    os.environ[MARK] = uuid.uuid4().hex
    root = Path(tempfile.mkdtemp(prefix="zssr-soak-"))
    report = {**provenance(), "minutes": options.minutes, "seed": options.seed}
    report |= Soak(root, options.seed).run(options.minutes * 60)
    print(json.dumps(report, indent=1))
    if not options.no_write:
        save(report, "soak.json")
    if options.keep or report["wrong"]:
        print(f"kept {root}")
    else:
        shutil.rmtree(root)
    sys.exit(1 if report["wrong"] else 0)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="leave the folder, faults or not")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args()


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
                if self._waiting() < _MOST_WAITING:  # or the drain would outlast the soak
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


class Teller:
    """Tells how far the soak is: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, end_s: float) -> None:
        self._end_s = end_s
        self._told_s = self._began_s = time.monotonic()
        self._told_wrong = 0
        columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, disable=not Console().is_terminal)
        self._task = self._bar.add_task("", total=end_s - self._began_s)

    def __enter__(self) -> "Teller":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, state: str, wrong: list[str]) -> None:
        """Show a state, and each new fault as it is found."""
        now_s = time.monotonic()
        for fault in wrong[self._told_wrong :]:
            self._bar.console.print(f"{now_s - self._began_s:.0f} s: WRONG: {fault}", markup=False)
        self._told_wrong = len(wrong)
        self._bar.update(self._task, completed=now_s - self._began_s, description=state)
        if self._bar.disable and now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            print(f"{now_s - self._began_s:.0f} s: {state}", flush=True)


if __name__ == "__main__":
    main()
