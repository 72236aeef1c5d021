"""The daemon with its failpoints armed: this script is run by the daemon and by its children.

The file named by CRASH_ORDER says "POINT VICTIM". Whoever reaches that point first kills the
victim, at that instant and only once.
"""

import os
import signal
from pathlib import Path

from zssr_daemon import failpoints
from zssr_daemon.failpoints import Failpoint

IN_THE_WORKER = frozenset({Failpoint.PART_BEGUN, Failpoint.PART_WRITTEN})


def crash(point: Failpoint) -> None:
    """Carry the order out if it names this point."""
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
    # The own process last: whoever is dead kills nobody.
    first, last = ([supervisor], workers) if is_worker else (workers, [supervisor])
    for pid in first + last:
        if victim == "both" or (pid == supervisor) == (victim == "supervisor"):
            os.kill(pid, signal.SIGKILL)


def workers_of(supervisor: int) -> list[int]:
    """Return the process ids of a daemon's workers."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children if name_of(int(pid)) == "zssr-worker"]


def name_of(pid: int) -> str:
    """Return the name a process goes by; nothing of one that is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


failpoints.on_reach = crash

if __name__ == "__main__":
    from zssr_daemon.__main__ import main

    main()
