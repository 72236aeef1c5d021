"""Prober: the supervisor's end of the probe, the child process that first decodes a file."""

import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from zssr_daemon.errors import Reason
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.inbox.probe import ProbeRequest, ProbeResult, probe_main
from zssr_daemon.system.child_process import ChildProcess

#: A file that takes longer to decode than this counts as an attack.
_TIMEOUT_S = 120.0


class Prober:
    """Has one file after another examined; a file that kills the decoder kills only the probe."""

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._waiting: deque[ProbeRequest] = deque()
        self._current: ProbeRequest | None = None
        self._since_s = 0.0
        self._child: ChildProcess | None = None

    @property
    def is_idle(self) -> bool:
        """Whether there is an answer for every file that was submitted."""
        return self._current is None and not self._waiting

    def submit(self, request: ProbeRequest) -> None:
        """Ask for a file to be examined, after those submitted before."""
        self._waiting.append(request)
        self._send_next()

    def poll(self) -> list[ProbeResult]:
        """Return the answers that have come, without waiting."""
        if self._child is None:
            return []
        was_alive = self._child.is_alive  # asked first, so that a dead child's last answer counts
        results: list[ProbeResult] = self._child.received()
        if results:
            self._current = None
        elif not was_alive:
            results = self._give_up(
                Reason.CORRUPT, f"the decoder died while it read this file ({self._how_it_ended()})"
            )
        elif self._current and time.monotonic() - self._since_s > _TIMEOUT_S:
            results = self._give_up(Reason.CORRUPT, f"not decoded within {_TIMEOUT_S:.0f} s")
        self._send_next()
        return results

    def connections(self) -> "list[Connection[Any, Any]]":
        """Return what to wait on for the next answer."""
        return [self._child.connection] if self._child else []

    def stop(self) -> None:
        """End the probe."""
        self._waiting.clear()
        self._current = None
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _send_next(self) -> None:
        if self._current is None and self._waiting:
            if self._child is not None and not self._child.is_alive:  # it died between two files
                self._child.kill()
                self._child = None
            if self._child is None:
                self._child = ChildProcess("zssr-probe", probe_main, self._limits)
            self._current = self._waiting.popleft()
            self._since_s = time.monotonic()
            self._child.send(self._current)

    def _give_up(self, reason: Reason, message: str) -> list[ProbeResult]:
        """Kill the probe, and answer for the file in hand with the reason for that."""
        assert self._child is not None
        self._child.kill()
        self._child = None
        request, self._current = self._current, None
        return [ProbeResult(request=request, reason=reason, message=message)] if request else []

    def _how_it_ended(self) -> str:
        assert self._child is not None
        return f"exit code {self._child.exit_code}"
