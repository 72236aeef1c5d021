"""Prober: the supervisor's end of the probe, the child process that first decodes a file."""

import time
from collections import deque
from multiprocessing.connection import Connection
from typing import Any

from zssr_daemon.errors import Reason
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.inbox.probe import ProbeReady, ProbeRequest, ProbeResult, probe_main
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.system.confinement import DECODE_TIMEOUT_S
from zssr_daemon.system.start_retry import StartRetry, no_start

#: A probe that has not loaded its decoders after this cannot start.
_START_TIMEOUT_S = 120.0


class Prober:
    """Has one file after another examined; a file that kills the decoder kills only the probe.

    A probe gets a file only after it said that it is ready, so a probe that cannot start blames
    no file: the files wait until one starts.
    """

    def __init__(self, limits: ImageLimits) -> None:
        self._limits = limits
        self._waiting: deque[ProbeRequest] = deque()
        self._current: ProbeRequest | None = None
        self._since_s = 0.0  # when the file in hand was sent, or the probe was started
        self._child: ChildProcess | None = None
        self._is_ready = False
        self._retry = StartRetry()
        self._tried_twice: ProbeRequest | None = None
        self.fault: str | None = None  # why no probe starts, after two failed starts in a row

    @property
    def is_idle(self) -> bool:
        """Whether there is an answer for every file that was submitted."""
        return self._current is None and not self._waiting

    def submit(self, request: ProbeRequest) -> None:
        """Ask for a file to be examined, after those submitted before."""
        self._waiting.append(request)
        self._go_on()

    def poll(self) -> list[ProbeResult]:
        """Return the answers that have come, without waiting."""
        results = self._results()
        self._go_on()
        return results

    def connections(self) -> "list[Connection[Any, Any]]":
        """Return what to wait on for the next answer."""
        return [self._child.connection] if self._child else []

    def stop(self) -> None:
        """End the probe."""
        self._waiting.clear()
        self._current = None
        self._drop_child()

    def _results(self) -> list[ProbeResult]:
        if self._child is None:
            return []
        was_alive = self._child.is_alive  # asked first, so that a dead child's last answer counts
        results: list[ProbeResult] = []
        for message in self._child.received():
            if isinstance(message, ProbeReady):
                self._note_ready()
            else:
                self._current = None
                results.append(message)
        if results:
            return results
        if not was_alive:
            return self._note_death(f"exit code {self._child.exit_code}")
        if not self._is_ready and self._waited_s() > _START_TIMEOUT_S:
            return self._note_death(f"it has not loaded after {_START_TIMEOUT_S:.0f} s")
        if self._current and self._waited_s() > DECODE_TIMEOUT_S:
            return self._give_up(f"not decoded within {DECODE_TIMEOUT_S:.0f} s")
        return []

    def _go_on(self) -> None:
        """Start a probe if one is needed and it is time to; hand a ready one the next file."""
        if self._current is not None or not self._waiting:
            return
        if self._child is not None and not self._child.is_alive:  # it died between two files
            self._note_death(f"exit code {self._child.exit_code}")
        if self._child is None:
            self._start_when_due()
        if self._child is not None and self._is_ready:
            self._current = self._waiting.popleft()
            self._since_s = time.monotonic()
            self._child.send(self._current)

    def _start_when_due(self) -> None:
        # The first failed start is repeated at once: something may have killed that one process.
        if self._retry.failures > 1 and not self._retry.is_due():
            return
        self._since_s = time.monotonic()
        try:
            self._child = ChildProcess("zssr-probe", probe_main, self._limits)
        except OSError as error:
            self._note_failed_start(str(error))

    def _note_ready(self) -> None:
        self._is_ready = True
        self._retry.succeeded()
        self.fault = None

    def _note_failed_start(self, how: str) -> None:
        self._retry.failed()
        if self._retry.failures > 1:
            self.fault = no_start("probe", how)

    def _note_death(self, how: str) -> list[ProbeResult]:
        """Drop a probe that is dead, or cannot start; answer for the file that it had in hand.

        An exception of Python (a positive exit code) can come from a package that was replaced
        under the probe, so the file is then given to a new probe once.
        """
        assert self._child is not None
        code = self._child.exit_code or 0
        if not self._is_ready:
            self._drop_child()
            self._note_failed_start(how)
        elif self._current is None:
            self._drop_child()
        elif code > 0 and self._tried_twice != self._current:
            self._tried_twice = self._current
            self._waiting.appendleft(self._current)
            self._current = None
            self._drop_child()
        else:
            return self._give_up(f"the decoder died while it read this file ({how})")
        return []

    def _give_up(self, message: str) -> list[ProbeResult]:
        """Kill the probe, and answer that the file in hand is damaged."""
        self._drop_child()
        request, self._current = self._current, None
        assert request is not None
        return [ProbeResult(request=request, reason=Reason.CORRUPT, message=message)]

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._is_ready = False

    def _waited_s(self) -> float:
        return time.monotonic() - self._since_s
