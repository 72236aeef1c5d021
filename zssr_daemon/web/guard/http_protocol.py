"""WebProtocol: uvicorn's HTTP/1.1, with bounds on connections and on waiting for clients.

uvicorn itself waits for ever for the head of a first request, for a client that reads nothing, and
for the rest of a body that nobody wants any more; it counts a connection only when a request comes.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.headers import plain_answer

_FULL = plain_answer("503 Service Unavailable", "too many connections; try again in a moment\n")
_BAD = plain_answer("400 Bad Request", "this is no request of HTTP/1.1\n")


class WebProtocol(H11Protocol):
    """One connection."""

    bounds = Bounds()

    def __init__(self, *args: Any, **keys: Any) -> None:
        super().__init__(*args, **keys)
        self._awaited: str | None = None
        self._wait: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.bounds.max_connections:
            transport.write(_FULL)
            transport.close()
        else:
            self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        for timer in (self._wait, self._stall):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take what the client sends."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on to the next request."""
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        """Give up on a client that reads nothing for too long."""
        super().pause_writing()
        self._stall = self.loop.call_later(self.bounds.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client reads."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's words are for its log)
        """Refuse what is no HTTP, with the headers that all answers have."""
        self.transport.write(_BAD)
        self.transport.close()

    def _watch(self) -> None:
        """Start the time for what the client owes; more bytes of the same thing win no time."""
        awaited = self._owed()
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None
        if awaited is not None and not self.transport.is_closing():
            self._wait = self.loop.call_later(self.bounds.head_s, self.transport.abort)

    def _owed(self) -> str | None:
        """Say what the client owes: the head of a request, or the end of a body already refused."""
        if self.conn.their_state is h11.IDLE:
            return "head"
        is_rest = self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY
        return "rest" if is_rest else None


def protocol_with(bounds: Bounds) -> type[WebProtocol]:
    """Return the protocol with these bounds; uvicorn takes a class."""
    return type("BoundedProtocol", (WebProtocol,), {"bounds": bounds})
