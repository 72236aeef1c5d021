"""Notifier: tells the service manager how the daemon is, by systemd's protocol (sd_notify(3)).

The protocol is a datagram of KEY=VALUE lines to the socket that NOTIFY_SOCKET names, and is
guaranteed to stay as it is. Without that variable nothing is told.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

#: A start that takes its time asks for more this often, each time for so much.
_EXTEND_EVERY_S = 20.0
_EXTEND_BY_S = 60.0

#: A status text is sent at most so often.
_STATUS_S = 1.0

_KIND = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK

_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """One process's line to its service manager. Times are of the caller's monotonic clock."""

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = None if address is None else _plain(address)
        self._ping_s = None if watchdog_s is None else watchdog_s / 2
        self._is_ready = False
        self._status = ""
        self._next_ping_s = self._next_status_s = 0.0
        self._next_extension_s = time.monotonic() + _EXTEND_EVERY_S

    @classmethod
    def from_environment(cls) -> "Notifier":
        """Take over what the service manager left for us; our children are not to find it."""
        found = {name: os.environ.pop(name, None) for name in _NAMES}
        is_ours = found["WATCHDOG_PID"] in {None, str(os.getpid())}
        return cls(found["NOTIFY_SOCKET"], _watchdog_s(found) if is_ours else None)

    def step(self, now: float, status: str, *, is_ready: bool, is_alive: bool) -> None:
        """Tell what is due: ready once, the status when it has changed, a ping while alive."""
        if self._address is None:
            return
        if is_ready and not self._is_ready:
            self._is_ready = True
            self._send("READY=1")
        if not self._is_ready and is_alive and now >= self._next_extension_s:
            self._next_extension_s = now + _EXTEND_EVERY_S
            self._send(f"EXTEND_TIMEOUT_USEC={round(_EXTEND_BY_S * 1e6)}")
        if status != self._status and now >= self._next_status_s:
            self._status, self._next_status_s = status, now + _STATUS_S
            self._send(f"STATUS={_one_line(status)}")
        if self._ping_s is not None and is_alive and now >= self._next_ping_s:
            self._next_ping_s = now + self._ping_s
            self._send("WATCHDOG=1")

    def reloading(self) -> None:
        """Tell that the settings are read anew; `reloaded` follows."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def reloaded(self) -> None:
        """Tell that they are, whether taken or refused."""
        self._send("READY=1")

    def stopping(self, reason: str) -> None:
        """Tell that the end has begun."""
        self._send(f"STOPPING=1\nSTATUS=stopping: {reason}")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        # A manager that does not listen is no reason to stop.
        with suppress(OSError), socket.socket(socket.AF_UNIX, _KIND) as ours:
            ours.sendto(message.encode(), self._address)


def _plain(address: str) -> str:
    """Write an abstract address as the kernel does."""
    return "\0" + address[1:] if address.startswith("@") else address


def _watchdog_s(found: Mapping[str, str | None]) -> float | None:
    with suppress(TypeError, ValueError):
        return int(found["WATCHDOG_USEC"] or "") / 1e6
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())
