"""ControlSocket: the Unix socket on which commands ask a running daemon; a JSON line each way.

Where systemd provides a runtime folder, the socket lies there and the state folder holds a link to
it. So whoever knows the settings finds the daemon.
"""

import json
import os
import socket
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zssr_daemon.errors import DaemonSilentError, NoDaemonError, NotAllowedError

SOCKET_NAME = "control.sock"

#: The user and the group of the daemon may ask.
_MODE = 0o660

_MAX_LINE_BYTES = 65536
_MAX_CALLERS = 16
_CALLER_S = 10.0  # to send the whole line
_REOPEN_S = 5.0  # between two attempts to open the socket
_ASK_S = 10.0  # to get an answer


@dataclass(slots=True)
class _Caller:
    connection: socket.socket
    since_s: float
    text: bytes = b""


class Call:
    """One request, to be answered once."""

    def __init__(self, connection: socket.socket, request: dict[str, Any]) -> None:
        self.request = request
        self._connection = connection

    def answer(self, **reply: Any) -> None:
        """Answer and hang up; a caller that is gone, or does not read, gets nothing."""
        with suppress(OSError), self._connection:
            self._connection.send(json.dumps(reply).encode() + b"\n")


class ControlSocket:
    """The daemon's end. It never waits, and the daemon goes on without it."""

    def __init__(self, state_folder: Path) -> None:
        self._link = state_folder / SOCKET_NAME
        runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        self.path = Path(runtime) / SOCKET_NAME if runtime else self._link
        self._server: socket.socket | None = None
        self._callers: list[_Caller] = []
        self._next_try_s = 0.0

    def ensure_open(self, now: float) -> None:
        """Open the socket, and open it again if somebody has removed it.

        Raises:
            OSError: it cannot be opened now; a later call tries again.
        """
        if now < self._next_try_s:
            return
        self._next_try_s = now + _REOPEN_S
        if self._server is None or not _is_socket(self.path):
            self._close_server()
            self._server = _listen(self.path)
            if self.path != self._link:
                _replace_link(self._link, self.path)

    def connections(self) -> list[socket.socket]:
        """Return what to wait on."""
        server = [self._server] if self._server else []
        return server + [caller.connection for caller in self._callers]

    def poll(self, now: float) -> list[Call]:
        """Return the requests that have arrived complete."""
        self._accept(now)
        calls: list[Call] = []
        for caller in self._callers[:]:
            line = self._read(caller, now)
            if line is not None:
                self._callers.remove(caller)
                calls += _parse(caller.connection, line)
        return calls

    def close(self) -> None:
        """Hang up, and remove the socket."""
        for caller in self._callers:
            caller.connection.close()
        self._callers.clear()
        if self._server is not None:
            self._close_server()
            for path in {self.path, self._link}:
                with suppress(OSError):
                    path.unlink()

    def _accept(self, now: float) -> None:
        with suppress(OSError):  # nobody calls
            while self._server is not None and len(self._callers) < _MAX_CALLERS:
                connection, _ = self._server.accept()
                connection.setblocking(False)
                self._callers.append(_Caller(connection, now))

    def _read(self, caller: _Caller, now: float) -> bytes | None:
        """Return the caller's line once it is complete; b"" if none will come, None until then."""
        try:
            more = caller.connection.recv(_MAX_LINE_BYTES)
        except BlockingIOError:
            return b"" if now - caller.since_s > _CALLER_S else None
        except OSError:
            return b""
        caller.text += more
        line, end, _ = caller.text.partition(b"\n")
        if end:
            return line
        return b"" if not more or len(caller.text) > _MAX_LINE_BYTES else None

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def ask(state_folder: Path, timeout_s: float = _ASK_S, **request: Any) -> dict[str, Any]:
    """Send a request to the daemon of this state folder, and return its answer.

    Raises:
        NoDaemonError: no daemon listens.
        NotAllowedError: a daemon may listen, but not to this user.
        DaemonSilentError: a daemon listens and does not answer.
    """
    path = state_folder / SOCKET_NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            with _short_name(path) as name:
                connection.connect(name)
            connection.sendall(json.dumps(request).encode() + b"\n")
            return dict(json.loads(_read_line(connection, time.monotonic() + timeout_s)))
    except PermissionError as error:
        raise NotAllowedError(
            f"{path}: permission denied; ask as the daemon's user, or be in its group"
        ) from error
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NoDaemonError(f"{state_folder}: no daemon is running on this state folder") from error
    except (OSError, ValueError) as error:
        raise DaemonSilentError(f"{path}: the daemon does not answer: {error}") from error


def _read_line(connection: socket.socket, deadline_s: float) -> bytes:
    text = b""
    while not text.endswith(b"\n") and time.monotonic() < deadline_s:
        more = connection.recv(_MAX_LINE_BYTES)
        if not more:
            break
        text += more
    return text


def _parse(connection: socket.socket, line: bytes) -> Iterator[Call]:
    with suppress(ValueError):
        request = json.loads(line)
        if isinstance(request, dict):
            yield Call(connection, request)
            return
    connection.close()


def _listen(path: Path) -> socket.socket:
    """Listen at `path`; the ledger's lock ensures that no living daemon uses what lies there."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        server.setblocking(False)
        with _short_name(path) as name:
            server.bind(name)
        path.chmod(_MODE)
        server.listen(_MAX_CALLERS)
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


@contextmanager
def _short_name(path: Path) -> Iterator[str]:
    """Yield a name for `path` that fits into the 107 bytes of an address, however deep it lies."""
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)
