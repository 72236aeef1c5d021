"""TimedDaemon: the daemon, which notes how much processor time each turn of its loop takes.

STEP_TIMES names the file that it writes at its end: a line for each turn, with the time of the
monotonic clock at its end, and the seconds of processor time that its thread used.
"""

import atexit
import os
import time
from pathlib import Path

from zssr_daemon.daemon.supervisor import Supervisor

_step = Supervisor.step
_turns: list[tuple[float, float]] = []


def _timed_step(self: Supervisor, now: float) -> None:
    before_s = time.thread_time()
    _step(self, now)
    _turns.append((time.monotonic(), time.thread_time() - before_s))


def _write() -> None:
    text = "".join(f"{at:.6f} {took:.6f}\n" for at, took in _turns)
    Path(os.environ["STEP_TIMES"]).write_text(text)


if __name__ == "__main__":
    from zssr_daemon.__main__ import main

    Supervisor.step = _timed_step  # type: ignore[method-assign]
    atexit.register(_write)
    main()
