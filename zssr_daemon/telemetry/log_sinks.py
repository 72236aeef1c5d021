"""Log sinks: each line is one write, so that the lines of several processes never mix."""

import logging
import logging.handlers
import os
import sys
from contextlib import suppress
from pathlib import Path

#: syslog's priorities, by which `journalctl -p err` selects lines.
_PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}


class StdoutSink(logging.Handler):
    """Writes to standard output; where that is the journal, with each line's priority."""

    def __init__(self) -> None:
        super().__init__()
        self._is_journal = _is_journal(sys.stdout.fileno())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            prefix = f"<{_PRIORITIES.get(record.levelname, 6)}>" if self._is_journal else ""
            line = prefix + self.format(record)
            with suppress(OSError):  # nobody reads any more, as after `| head -1`; the file goes on
                _write(sys.stdout.fileno(), line)
        except Exception:  # noqa: BLE001 (as in every handler: a line must not end the program)
            self.handleError(record)


class FileSink(logging.handlers.WatchedFileHandler):
    """Appends to a file; after somebody renames the file, the next line begins a new one."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        super().__init__(file, encoding="utf-8")

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            self.reopenIfNeeded()
            assert self.stream is not None
            _write(self.stream.fileno(), self.format(record))
        except Exception:  # noqa: BLE001 (as above)
            self.handleError(record)


def _write(fd: int, line: str) -> None:
    os.write(fd, (line + "\n").encode("utf-8", "backslashreplace"))


def _is_journal(fd: int) -> bool:
    """Tell whether `fd` goes to the journal, by the variable that systemd sets for that."""
    status = os.fstat(fd)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
