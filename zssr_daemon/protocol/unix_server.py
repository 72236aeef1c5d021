"""UnixServer: a Unix socket on which the daemon listens, and which others find by the state folder.

Where systemd provides a runtime folder, the socket lies there and the state folder holds a link to
it. So whoever knows the settings finds the daemon.
"""

import os
import socket
import stat
import uuid
from contextlib import suppress
from pathlib import Path

from zssr_daemon.protocol.control import short_name

#: The user and the group of the daemon may call.
_MODE = 0o660

_BACKLOG = 16
_REOPEN_S = 5.0  # between two attempts to open the socket


class UnixServer:
    """Listens; it never waits."""

    def __init__(self, state_folder: Path, name: str) -> None:
        """`name` is that of the socket."""
        self._link = state_folder / name
        runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        self.path = Path(runtime) / name if runtime else self._link
        self.listener: socket.socket | None = None  # to wait on until somebody calls
        self._next_try_s = 0.0

    def ensure_open(self, now: float) -> None:
        """Open the socket, and open it again if somebody has removed it.

        Raises:
            OSError: it cannot be opened now; a later call tries again.
        """
        if now < self._next_try_s:
            return
        self._next_try_s = now + _REOPEN_S
        if self.listener is None or not _is_socket(self.path):
            self._close_listener()
            self.listener = _listen(self.path)
            if self.path != self._link:
                _replace_link(self._link, self.path)

    def accept(self) -> socket.socket | None:
        """Return the next caller's connection, which never waits; None where nobody calls."""
        if self.listener is None:
            return None
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return None
        connection.setblocking(False)
        return connection

    def close(self) -> None:
        """Listen no longer, and remove the socket."""
        if self.listener is not None:
            self._close_listener()
            for path in {self.path, self._link}:
                with suppress(OSError):
                    path.unlink()

    def _close_listener(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None


def _listen(path: Path) -> socket.socket:
    """Listen at `path`; the ledger's lock ensures that no living daemon uses what lies there."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        server.setblocking(False)
        with short_name(path) as name:
            server.bind(name)
        path.chmod(_MODE)
        server.listen(_BACKLOG)
    except OSError:
        server.close()
        raise
    return server


def _replace_link(link: Path, target: Path) -> None:
    """Make `link` a link to `target`, whatever it was before."""
    new = link.with_name(f".{link.name}.{uuid.uuid4().hex}")
    new.symlink_to(target)
    new.replace(link)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
