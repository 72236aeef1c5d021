"""The daemon with failpoints that kill: the daemon and its children both run this script.

The file named by CRASH_ORDER says "POINT VICTIM". The process that first reaches the point kills
the victim there, once.
"""

import os
import signal
from pathlib import Path

from zssr_daemon import failpoints
from zssr_daemon.failpoints import Failpoint

IN_THE_WORKER = frozenset({Failpoint.PART_BEGUN, Failpoint.PART_WRITTEN})


def crash(point: Failpoint) -> None:
    """Carry out the order if it names this point."""
    order = Path(os.environ["CRASH_ORDER"])
    try:
        wanted, victim = order.read_text().split()
    except FileNotFoundError:
        return
    if wanted != point:
        return
    order.unlink()
    is_worker = point in IN_THE_WORKER
    supervisor = os.getppid() if is_worker else os.getpid()
    workers = [os.getpid()] if is_worker else workers_of(supervisor)
    # This process is killed last, since a dead process kills nobody.
    first, last = ([supervisor], workers) if is_worker else (workers, [supervisor])
    for pid in first + last:
        if victim == "both" or (pid == supervisor) == (victim == "supervisor"):
            os.kill(pid, signal.SIGKILL)


def workers_of(supervisor: int) -> list[int]:
    """Return the process ids of a daemon's workers."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children if name_of(int(pid)) == "zssr-worker"]


def name_of(pid: int) -> str:
    """Return the name of a process, or "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


failpoints.on_reach = crash

if __name__ == "__main__":
    from zssr_daemon.__main__ import main

    main()
