"""GatewayWire: a gateway's end of the cluster's socket, on which a test says what it likes."""

import select
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.parts.daemon_parts import DEADLINE_S, wait_until
from zssr_daemon import __version__
from zssr_daemon.protocol.cluster_wire import (
    CLUSTER_SOCKET_NAME,
    Decoder,
    Frame,
    GatewayFrame,
    Hello,
    Offer,
    encode,
)
from zssr_daemon.protocol.code_hash import code_sha256
from zssr_daemon.protocol.control import short_name

HELLO = Hello(version=__version__, code_sha256=code_sha256())

NODE = "node7"

#: The slot that a gateway offers where a test names no other.
OFFER = Offer(slot="10.0.0.7#0", node=NODE, device="cpu")


class GatewayWire:
    """One connection to a supervisor; a supervisor that waits for its own tick hears it later."""

    def __init__(self, state_folder: Path, gives_up: Callable[[], bool] = lambda: False) -> None:
        """Dial in, as soon as somebody listens; EOFError if nobody does before it gives up."""
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(DEADLINE_S)
        self._decoder = Decoder()
        self._heard: list[Any] = []

        def is_in() -> bool:
            try:
                with short_name(state_folder / CLUSTER_SOCKET_NAME) as name:
                    self.connection.connect(name)
            except OSError:
                if gives_up():
                    self.connection.close()
                    raise EOFError from None
                return False
            return True

        wait_until(is_in, "a socket to listen")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.connection.close()

    def say(self, *frames: GatewayFrame) -> None:
        """Send frames."""
        self.connection.sendall(b"".join(map(encode, frames)))

    def heard(self) -> list[Frame]:
        """Wait for something from the supervisor; return the frames that are complete."""
        more = self.connection.recv(1 << 20)
        if not more:
            raise EOFError
        return self._decoder.feed(more)

    def next(self, kind: type[Any], meanwhile: Callable[[], object] = lambda: None) -> Any:
        """Return the next frame of a kind; those before it are dropped.

        `meanwhile` is called until it comes, as to let the supervisor do its part.
        """
        found: list[Any] = []

        def came() -> bool:
            meanwhile()
            if not self._heard and select.select([self.connection], [], [], 0)[0]:
                self._heard.extend(self.heard())
            while self._heard and not found:
                frame = self._heard.pop(0)
                found.extend([frame] if isinstance(frame, kind) else [])
            return bool(found)

        wait_until(came, kind.__name__)
        return found[0]

    def is_hung_up_on(self) -> bool:
        """Wait for the end of the connection; what is still said is dropped."""
        try:
            while self.connection.recv(1 << 20):
                pass
        except ConnectionResetError:
            pass
        return True
