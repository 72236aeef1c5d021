"""ControlSocket: the daemon's end of the Unix socket on which commands ask it."""

import json
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zssr_daemon.protocol.control import MAX_REPLY_BYTES, SOCKET_NAME
from zssr_daemon.protocol.unix_server import UnixServer

_MAX_LINE_BYTES = 65536
_MAX_CALLERS = 16
_CALLER_S = 10.0  # to send the whole line; and again, to read the whole reply


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
        self._server = UnixServer(state_folder, SOCKET_NAME)
        self.path = self._server.path
        self._callers: list[_Caller] = []
        self._replies: list[_Reply] = []  # that the callers have not read to the end yet

    def ensure_open(self, now: float) -> None:
        """Open the socket, and open it again if somebody has removed it.

        Raises:
            OSError: it cannot be opened now; a later call tries again.
        """
        self._server.ensure_open(now)

    def connections(self) -> list[socket.socket]:
        """Return what to wait on until it can be read."""
        listener = self._server.listener
        server = [listener] if listener is not None and self._has_room() else []
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
        self._server.close()

    def _has_room(self) -> bool:
        return len(self._callers) + len(self._replies) < _MAX_CALLERS

    def _accept(self, now: float) -> None:
        while self._has_room() and (connection := self._server.accept()) is not None:
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
