"""TwoUsers: a daemon that runs as one user of a group, and the folders that it shares with others.

Only root can run as other users.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts.as_user import ENVIRONMENT, SCRIPT
from tests.parts.daemon_process import DaemonProcess, prepare
from zssr_daemon.settings.schema import Folders

DAEMON, OTHER, GROUP = 61_001, 61_002, 61_000


@contextmanager
def shared_folders() -> Iterator[Path]:
    """Yield a folder that other users reach, with the folders of a service in it."""
    with tempfile.TemporaryDirectory(prefix="zssr-users-") as name:
        root = Path(name)
        prepare(root)
        for folder in Folders.model_fields:
            give(root / folder, DAEMON, is_folder=True)
        root.chmod(0o755)
        yield root


def give(path: Path, user: int, *, is_folder: bool = False) -> None:
    """Give a file, or a folder that is made, to a user, and let the group write."""
    if is_folder:
        path.mkdir(exist_ok=True)
    os.chown(path, user, GROUP)
    path.chmod(0o2770 if is_folder else 0o660)


def daemon_of(root: Path) -> DaemonProcess:
    """Start the daemon of these folders, as its user."""
    command = (str(SCRIPT), str(DAEMON), str(GROUP))
    environment = ENVIRONMENT | {"HOME": str(root / "state")}
    return DaemonProcess(root, command=command, environment=environment)
