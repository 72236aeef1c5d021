"""The page as a process of its own, with the bounds of a test and a failpoint that kills.

PAGE_BOUNDS holds the bounds as JSON; PAGE_KILL_AT names the failpoint at which the process dies;
PAGE_FD is the socket, which is handed on as systemd does it.
"""

import json
import os
import signal
import sys
from pathlib import Path

from zssr_daemon import failpoints
from zssr_daemon.errors import SettingsError
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.settings.load import load_settings
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.server import run_page


def die(point: Failpoint) -> None:
    """Die at the point that is named."""
    if point == os.environ.get("PAGE_KILL_AT"):
        os.kill(os.getpid(), signal.SIGKILL)


failpoints.on_reach = die

if __name__ == "__main__":
    os.dup2(int(os.environ["PAGE_FD"]), 3)
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    file = Path(sys.argv[1])
    try:
        bounds = Bounds(**json.loads(os.environ["PAGE_BOUNDS"]))
        run_page(load_settings(file), file, bounds=bounds)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from error
