"""Notifier: tells the service manager how the daemon is, by systemd's protocol (sd_notify(3)).

The protocol, which systemd promises to keep, is a datagram of KEY=VALUE lines to the socket that
NOTIFY_SOCKET names. Without that variable nothing is sent.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

#: During a long start, more time is asked for this often, and each time this much.
_EXTEND_EVERY_S = 20.0
_EXTEND_BY_S = 60.0

#: The least time between two status texts.
_STATUS_S = 1.0

_KIND = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK

_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """One process's connection to its service manager.

    Times are seconds of the caller's monotonic clock.
    """

    def __init__(self, address: str | None = None, watchdog_s: float | None = None) -> None:
        self._address = None if address is None else _plain(address)
        self._ping_s = None if watchdog_s is None else watchdog_s / 2
        self._is_ready = False
        self._status = ""
        self._next_ping_s = self._next_status_s = 0.0
        self._next_extension_s = time.monotonic() + _EXTEND_EVERY_S

    @classmethod
    def from_environment(cls) -> "Notifier":
        """Read the service manager's variables, and unset them so that no child finds them."""
        found = {name: os.environ.pop(name, None) for name in _NAMES}
        is_ours = found["WATCHDOG_PID"] in {None, str(os.getpid())}
        return cls(found["NOTIFY_SOCKET"], _watchdog_s(found) if is_ours else None)

    def step(self, now: float, status: str, *, is_ready: bool, is_alive: bool) -> None:
        """Send what is due: readiness once, a status that changed, a ping while alive."""
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
        """Tell that the settings are being read again; `reloaded` must follow."""
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}")

    def reloaded(self) -> None:
        """Tell that the settings have been read, whether they were accepted or refused."""
        self._send("READY=1")

    def stopping(self, reason: str) -> None:
        """Tell that the daemon is stopping."""
        self._send(f"STOPPING=1\nSTATUS=stopping: {reason}")

    def _send(self, message: str) -> None:
        if self._address is None:
            return
        # The daemon goes on where the service manager does not listen.
        with suppress(OSError), socket.socket(socket.AF_UNIX, _KIND) as ours:
            ours.sendto(message.encode(), self._address)


def _plain(address: str) -> str:
    """Return the address as sockets take it: an abstract one begins with a zero byte."""
    return "\0" + address[1:] if address.startswith("@") else address


def _watchdog_s(found: Mapping[str, str | None]) -> float | None:
    with suppress(TypeError, ValueError):
        return int(found["WATCHDOG_USEC"] or "") / 1e6
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())
