"""Signals: what people and the service manager ask of the running daemon, kept as flags."""

import os
import selectors
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


class Signals:
    """Flags that signal handlers and commands set, and the pipe that then wakes the loop."""

    def __init__(self) -> None:
        self.stops = 0  # how often a stop was asked for; from the second on it is urgent
        self.is_draining = False
        self.wants_reload = False
        self.is_hung_up = False  # whether the terminal was closed
        self._heeds_hangup = False
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def handle(self, *, is_terminal: bool) -> None:
        """Let SIGTERM and SIGINT stop, SIGUSR1 drain and SIGHUP reload.

        A terminal that is closed sends SIGHUP too; on a terminal it means stop, unless somebody
        has this process ignore it, as `nohup` does.
        """
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        signal.signal(signal.SIGUSR1, lambda *_: self.drain())
        self._heeds_hangup = is_terminal and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        if self._heeds_hangup:
            signal.signal(signal.SIGHUP, lambda *_: self.hang_up())
        elif not is_terminal:
            signal.signal(signal.SIGHUP, lambda *_: self.reload())

    def stop(self) -> None:
        """End after this tick; a second call ends without waiting for the workers' steps."""
        self.stops += 1
        self.wake()

    def hang_up(self) -> None:
        """Stop because the terminal is gone; its several signs count once. From any thread."""
        if self._heeds_hangup and not self.stops:
            self.is_hung_up = True
            self.stop()

    def drain(self) -> None:
        """Start no more jobs, and end as soon as the jobs in work have ended."""
        self.is_draining = True
        self.wake()

    def reload(self) -> None:
        """Read the settings again."""
        self.wants_reload = True
        self.wake()

    def wake(self) -> None:
        """End the loop's nap, from any thread."""
        with suppress(BlockingIOError):  # the pipe is full of wake-ups already
            os.write(self._writer, b"\0")

    def nap(self, ends: Sequence[Any], timeout_s: float, *, unsent: Sequence[Any] = ()) -> None:
        """Sleep until one of `ends` can be read, or one of `unsent` can be written to.

        What stands in both is waited for in both ways.
        The nap also ends when somebody wakes us, or the time is over.
        """
        events = dict.fromkeys([*ends, self._reader], selectors.EVENT_READ)
        for end in unsent:
            events[end] = events.get(end, 0) | selectors.EVENT_WRITE
        with selectors.PollSelector() as selector:
            for end, wanted in events.items():
                selector.register(end, wanted)
            ready = {key.fileobj for key, _ in selector.select(timeout_s)}
        if self._reader in ready:
            os.read(self._reader, 65536)

    def close(self) -> None:
        """Close the pipe, and ignore all signals from then on: the process is ending."""
        with suppress(ValueError):  # not the main thread: nothing was handled
            signal.set_wakeup_fd(-1)
            for number in _HANDLED:
                signal.signal(
                    number, signal.SIG_IGN
                )  # a late one must not change how the process ends
        os.close(self._reader)
        os.close(self._writer)
