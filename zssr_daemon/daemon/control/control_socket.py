"""ControlSocket: the daemon's end of the Unix socket on which commands ask it.

Where systemd provides a runtime folder, the socket lies there and the state folder holds a link to
it. So whoever knows the settings finds the daemon.
"""

import json
import os
import socket
import stat
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zssr_daemon.protocol.control import MAX_REPLY_BYTES, SOCKET_NAME, short_name

#: The user and the group of the daemon may ask.
_MODE = 0o660

_MAX_LINE_BYTES = 65536
_MAX_CALLERS = 16
_CALLER_S = 10.0  # to send the whole line; and again, to read the whole reply
_REOPEN_S = 5.0  # between two attempts to open the socket


@dataclass(slots=True)
class _Caller:
    connection: socket.socket
    since_s: float
    text: bytes = b""


@dataclass(slots=True)
class _Reply:
    connection: socket.socket
    unsent: memoryview
    since_s: float


@dataclass(slots=True)
class Call:
    """One request, to be answered once; the socket then sends the reply."""

    request: dict[str, Any]
    connection: socket.socket
    since_s: float
    _replies: list[_Reply] = field(repr=False)

    def answer(self, **reply: Any) -> None:
        """Answer; a caller that is gone, or does not read in time, gets no more of it."""
        text = json.dumps(reply).encode() + b"\n"
        if len(text) > MAX_REPLY_BYTES:
            error = f"the reply has {len(text)} bytes, more than the daemon sends; ask for less"
            text = json.dumps({"error": error}).encode() + b"\n"
        reply_begun = _Reply(self.connection, memoryview(text), self.since_s)
        if not _is_sent(reply_begun, self.since_s):
            self._replies.append(reply_begun)


class ControlSocket:
    """The daemon's end. It never waits, and the daemon goes on without it."""

    def __init__(self, state_folder: Path) -> None:
        self._link = state_folder / SOCKET_NAME
        runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
        self.path = Path(runtime) / SOCKET_NAME if runtime else self._link
        self._server: socket.socket | None = None
        self._callers: list[_Caller] = []
        self._replies: list[_Reply] = []  # that the callers have not read to the end yet
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
        """Return what to wait on until it can be read."""
        has_room = self._server is not None and self._has_room()
        server = [self._server] if self._server is not None and has_room else []
        return server + [caller.connection for caller in self._callers]

    def unsent(self) -> list[socket.socket]:
        """Return what to wait on until it can be written to."""
        return [reply.connection for reply in self._replies]

    def poll(self, now: float) -> list[Call]:
        """Send more of the replies, and return the requests that have arrived complete."""
        self._replies[:] = [reply for reply in self._replies if not _is_sent(reply, now)]
        self._accept(now)
        calls: list[Call] = []
        for caller in self._callers[:]:
            line = self._read(caller, now)
            if line is not None:
                self._callers.remove(caller)
                calls += self._parse(caller.connection, line, now)
        return calls

    def close(self) -> None:
        """Hang up, and remove the socket."""
        for connection in [*self.unsent(), *(each.connection for each in self._callers)]:
            connection.close()
        self._callers.clear()
        self._replies.clear()
        if self._server is not None:
            self._close_server()
            for path in {self.path, self._link}:
                with suppress(OSError):
                    path.unlink()

    def _has_room(self) -> bool:
        return len(self._callers) + len(self._replies) < _MAX_CALLERS

    def _accept(self, now: float) -> None:
        with suppress(OSError):  # nobody calls
            while self._server is not None and self._has_room():
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

    def _parse(self, connection: socket.socket, line: bytes, now: float) -> list[Call]:
        """Return the request of a line; hang up on a line that holds none."""
        with suppress(ValueError):
            request = json.loads(line)
            if isinstance(request, dict):
                return [Call(request, connection, now, self._replies)]
        connection.close()
        return []

    def _close_server(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None


def _is_sent(reply: _Reply, now: float) -> bool:
    """Send as much as the caller takes, and tell whether nothing is left to do; then hang up."""
    try:
        reply.unsent = reply.unsent[reply.connection.send(reply.unsent) :]
    except BlockingIOError:
        pass
    except OSError:  # the caller is gone
        reply.unsent = reply.unsent[:0]
    is_over = not reply.unsent or now - reply.since_s > _CALLER_S
    if is_over:
        reply.connection.close()
    return is_over


def _listen(path: Path) -> socket.socket:
    """Listen at `path`; the ledger's lock ensures that no living daemon uses what lies there."""
    path.unlink(missing_ok=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        server.setblocking(False)
        with short_name(path) as name:
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
