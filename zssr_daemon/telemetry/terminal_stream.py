"""TerminalStream: standard output on a terminal that may vanish, as when its window is closed.

Log lines and progress bars are written from several threads and from within library code, so a
terminal that is gone must raise nothing there.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import IO


class TerminalStream:
    """Writes to a terminal; once it is gone, calls `on_gone` and drops what is written."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.on_gone: Callable[[], None] | None = None

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        try:
            self._stream.write(text)
        except OSError:
            self._leave()
        return len(text)

    def flush(self) -> None:
        """Send what was written to the terminal."""
        try:
            self._stream.flush()
        except OSError:
            self._leave()

    def isatty(self) -> bool:
        """Tell whether it is, or was, a terminal."""
        return True

    def fileno(self) -> int:
        """Return the descriptor, by which the size of the terminal is asked for."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        """The encoding of the terminal."""
        return str(getattr(self._stream, "encoding", "utf-8"))

    def _leave(self) -> None:
        """Let the descriptor lead nowhere: Python writes what is left in its buffer at the end."""
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, self._stream.fileno(), inheritable=True)
        os.close(nowhere)
        with suppress(OSError):
            self._stream.flush()
        if self.on_gone is not None:
            self.on_gone()


def is_in_foreground(stream: IO[str]) -> bool:
    """Tell whether this process has the terminal, and was not begun in the background with `&`."""
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:  # not the terminal of this session
        return True
