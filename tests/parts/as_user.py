"""AsUser: a command run as another user of a group, as systemd runs the daemon and its page.

The user may read everything, since an interpreter can lie where only root looks; what it may
write, move and own is left to the kernel's own rules.
"""

import os
import sys
from pathlib import Path

from tests.parts.tools import tool

SCRIPT = Path(__file__)

#: What the script needs to find this package, wherever it is started.
ENVIRONMENT = {"PYTHONPATH": str(SCRIPT.parents[2])}


def as_user(uid: int, gid: int) -> list[str]:
    """Return the command that runs another one as this user; root alone may do that."""
    ids = [f"--reuid={uid}", f"--regid={gid}", f"--groups={gid}"]
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [tool("setpriv", package="util-linux"), *ids, *reads]


if __name__ == "__main__":
    uid, gid, *arguments = sys.argv[1:]
    os.umask(0o027)  # as the unit of the daemon says
    command = [*as_user(int(uid), int(gid)), sys.executable, "-m", "zssr_daemon", *arguments]
    os.execv(command[0], command)
