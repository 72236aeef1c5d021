"""GatewayLink: the connection of one gateway; it never waits, and what it holds is bounded."""

import socket

from zssr_daemon.protocol.cluster_wire import (
    Decoder,
    Frame,
    GatewayFrame,
    SupervisorFrame,
    Told,
    WireError,
    encode,
)
from zssr_daemon.protocol.told_check import fault_of

#: So much is read at once, so that a gateway that never stops talking holds nobody up.
_READ_BYTES = 1 << 18

#: With more than this unsent, no further order is given; an order is at most a frame.
_ROOM_BYTES = 1 << 20

#: A gateway that lets more than this wait does not read.
_MAX_UNSENT_BYTES = 16 << 20


class GatewayLink:
    """Frames out, and frames in that may be true."""

    def __init__(self, connection: socket.socket) -> None:
        """Take a connection that does not wait."""
        self.connection = connection
        self.fault: str | None = None  # why the connection is of no more use
        self._decoder = Decoder(is_told=True)
        self._unsent = bytearray()

    @property
    def has_room(self) -> bool:
        """Whether the gateway reads, so that an order would reach it soon."""
        return self.fault is None and len(self._unsent) <= _ROOM_BYTES

    @property
    def has_unsent(self) -> bool:
        """Whether `flush` has something to do."""
        return self.fault is None and bool(self._unsent)

    def send(self, frame: SupervisorFrame) -> None:
        """Send as much as the gateway takes, and keep the rest."""
        if self.fault is not None:
            return
        self._unsent += encode(frame)
        self.flush()
        if len(self._unsent) > _MAX_UNSENT_BYTES:
            self.fault = "it does not read what it is sent"

    def flush(self) -> None:
        """Send more of what is kept."""
        try:
            while self._unsent:
                del self._unsent[: self.connection.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError as error:
            self.fault = f"it hung up: {error.strerror}"

    def received(self) -> list[GatewayFrame]:
        """Return the frames that have come; nothing follows those that came with a fault."""
        try:
            more = self.connection.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError as error:
            self.fault = f"it hung up: {error.strerror}"
            return []
        if not more:
            self.fault = "it hung up"
            return []
        try:
            return [_checked(frame) for frame in self._decoder.feed(more)]
        except WireError as error:
            self.fault = str(error)
            return []

    def close(self) -> None:
        """Hang up."""
        self.connection.close()


def _checked(frame: Frame) -> GatewayFrame:
    if not isinstance(frame, GatewayFrame):
        raise WireError(f"{type(frame).__name__} is not for a gateway to say")
    if isinstance(frame, Told) and (fault := fault_of(frame.message)) is not None:
        raise WireError(f"no worker says that: {fault}")
    return frame
