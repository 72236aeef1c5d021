"""PageProcess: the real web page of a folder with settings, driven as a browser would."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.parts.daemon_process import WAIT_S, wait_until

#: The table that `prepare` is given, so that each page has a port of its own.
WEB_SETTINGS = """
[web]
listen = "127.0.0.1:{port}"
max_upload_bytes = {max_upload_bytes}
"""


class PageProcess:
    """One run of the page; leaving the context ends it."""

    def __init__(self, root: Path, port: int) -> None:
        """Start it, and wait until it answers."""
        self.port = port
        self._log = (root / "page.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "zssr_daemon", "web", "--settings", "settings.toml"],
            cwd=root,
            env=os.environ | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        wait_until(self._answers, "the page to answer")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(signal.SIGKILL)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, and wait for its end."""
        self._process.send_signal(number)
        self._process.wait(timeout=WAIT_S)
        self._log.close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, Path(self._log.name).read_text()
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
