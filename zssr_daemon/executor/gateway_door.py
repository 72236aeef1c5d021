"""GatewayDoor: lets one gateway in at a time, if it is of our version and code."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zssr_daemon import __version__
from zssr_daemon.executor.gateway_link import GatewayLink
from zssr_daemon.protocol.cluster_wire import (
    CLUSTER_SOCKET_NAME,
    GatewayFrame,
    Hello,
    SupervisorFrame,
)
from zssr_daemon.protocol.code_hash import code_sha256
from zssr_daemon.protocol.messages import SHORT_SHA256
from zssr_daemon.protocol.unix_server import UnixServer
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events

#: A caller has so long to say who it is; meanwhile nobody else is let in.
_HELLO_S = 10.0


@dataclass(frozen=True, slots=True)
class GatewayGone:
    """The gateway that was let in is gone; its next frames would be of another one."""

    message: str


class GatewayDoor:
    """Listens on the cluster's socket; nothing here waits, and nothing can stop the daemon."""

    def __init__(self, state_folder: Path) -> None:
        self._server = UnixServer(state_folder, CLUSTER_SOCKET_NAME)
        self._link: GatewayLink | None = None
        self._is_let_in = False  # whether the caller has said who it is, and may stay
        self._called_s = 0.0
        self._last_refusal = ""
        self._has_warned = False
        self._log = logs.get_logger()
        code_sha256()  # of the code that runs: later the files may be of another version

    @property
    def has_room(self) -> bool:
        """Whether a gateway is there that reads what it is sent."""
        return self._link is not None and self._is_let_in and self._link.has_room

    @property
    def connection(self) -> Any:
        """The gateway's connection, to wait on; only while one is there."""
        assert self._link is not None
        return self._link.connection

    def connections(self) -> list[Any]:
        """Return what to wait on until it can be read."""
        link = [] if self._link is None else [self._link.connection]
        return link if self._server.listener is None else [*link, self._server.listener]

    def unsent(self) -> list[Any]:
        """Return what to wait on until it can be written to."""
        return [self._link.connection] if self._link is not None and self._link.has_unsent else []

    def send(self, frame: SupervisorFrame) -> None:
        """Send a frame; where no gateway is, nobody misses it."""
        if self._link is not None:
            self._link.send(frame)

    def poll(self) -> list[GatewayFrame | GatewayGone]:
        """Return what the gateway has said; let one in where there is none."""
        self._open()
        told = self._hear()
        self._answer_callers()
        return told

    def close(self) -> None:
        """Hang up, and listen no longer."""
        self._hang_up()
        self._server.close()

    def _open(self) -> None:
        try:
            self._server.ensure_open(time.monotonic())
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                path = str(self._server.path)
                self._log.warning(Events.CONTROL_UNAVAILABLE, path=path, message=str(error))

    def _hear(self) -> list[GatewayFrame | GatewayGone]:
        link = self._link
        if link is None:
            return []
        link.flush()
        told: list[GatewayFrame | GatewayGone] = []
        for frame in link.received():
            if self._is_let_in and not isinstance(frame, Hello):
                told.append(frame)
            elif link.fault is None:
                link.fault = self._greet(frame)
        if not self._is_let_in and time.monotonic() - self._called_s > _HELLO_S:
            link.fault = link.fault or f"it did not say who it is for {_HELLO_S:.0f} s"
        return told if link.fault is None else told + self._part(link.fault)

    def _greet(self, frame: GatewayFrame) -> str | None:
        """Let a caller in; return why not."""
        fault = "it says hello twice" if self._is_let_in else _fault_of(frame)
        if fault is None:
            self._is_let_in = True
            self._last_refusal = ""
            self._log.info(Events.GATEWAY_CONNECTED, version=__version__)
        return fault

    def _part(self, fault: str) -> list[GatewayFrame | GatewayGone]:
        """Hang up on a caller, and tell whether that was a gateway."""
        was_let_in = self._is_let_in
        self._hang_up()
        if not was_let_in:
            self._refused(fault)
            return []
        self._log.warning(Events.GATEWAY_LOST, message=fault)
        return [GatewayGone(f"the gateway to the cluster is gone: {fault}")]

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link, self._is_let_in = None, False

    def _answer_callers(self) -> None:
        while (connection := self._server.accept()) is not None:
            if self._link is None:
                self._link = GatewayLink(connection)
                self._called_s = time.monotonic()
            else:
                connection.close()
                self._refused("another gateway is here already")

    def _refused(self, message: str) -> None:
        """Log a refusal; a gateway that comes again and again is told of once."""
        if message != self._last_refusal:
            self._last_refusal = message
            self._log.warning(Events.GATEWAY_REFUSED, message=message)


def _fault_of(frame: GatewayFrame) -> str | None:
    """Return why the one that begins with this frame is not let in."""
    if not isinstance(frame, Hello):
        return f"its first frame is {type(frame).__name__}, not Hello"
    if (frame.version, frame.code_sha256) == (__version__, code_sha256()):
        return None
    its, ours = frame.code_sha256[:SHORT_SHA256], code_sha256()[:SHORT_SHA256]
    return (
        f"it is zssr-daemon {frame.version[:40]} ({its}), and this is {__version__} ({ours}): "
        "restart both after an update"
    )
