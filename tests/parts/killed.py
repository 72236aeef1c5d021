"""Killed: a script in a process of its own, which gets SIGKILL when it reaches a failpoint."""

import signal
import subprocess
import sys

from zssr_daemon.failpoints import Failpoint

_BEGIN = """
import os, signal, sys
from zssr_daemon import failpoints
*_, point, times = sys.argv
left = int(times)
def crash(reached):
    global left
    left -= reached == point
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
failpoints.on_reach = crash
"""


def run_killed(script: str, *arguments: str, point: Failpoint, times: int = 1) -> None:
    """Run a script whose `sys.argv[1:]` begins with the arguments, until it is killed.

    times: at which arrival at the point.
    """
    command = [sys.executable, "-c", _BEGIN + script, *arguments, point, str(times)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
