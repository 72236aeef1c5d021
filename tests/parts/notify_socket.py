"""NotifySocket: stands for systemd's socket, and notes every message with the time it came."""

import socket
import threading
import time
from types import TracebackType
from typing import Self


class NotifySocket:
    """A real socket at `address`: a path, or "@NAME" in the abstract name space."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.messages: list[tuple[float, str]] = []  # seconds since the epoch
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._thread = threading.Thread(target=self._receive)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._socket.close()

    def told(self, begin: str = "") -> list[str]:
        """Return the messages that begin with `begin`."""
        return [text for _, text in self.messages if text.startswith(begin)]

    def _receive(self) -> None:
        while message := self._socket.recv(65536):
            self.messages.append((time.time(), message.decode()))
