"""RawPage: the real page on a socket of its own, spoken to byte by byte."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.parts.daemon_process import wait_until
from tests.parts.log_lines import assert_valid
from tests.parts.web_browser import TOKEN
from zssr_daemon.errors import SettingsError
from zssr_daemon.protocol.web_token import TOKEN_NAME, read_token
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.sessions import Sessions

SCRIPT = Path(__file__).with_name("raw_page_script.py")


class RawPage:
    """One run of the page; it listens on loopback, by a socket that it is handed as by systemd."""

    def __init__(
        self,
        root: Path,
        *,
        kill_at: str = "",
        toml: str = "",
        host: str = "127.0.0.1",
        inside: Sequence[str] = (),
        bounds: Bounds | None = None,
    ) -> None:
        """Start it; `inside` is a command that runs it in surroundings of its own."""
        self.root = root
        self.inbox = root / "inbox"
        self.inbox.mkdir(exist_ok=True)
        state = root / "state"
        state.mkdir(exist_ok=True)
        if not (state / TOKEN_NAME).exists():
            (state / TOKEN_NAME).write_text(TOKEN)
        (root / "settings.toml").write_text(toml or "[limits]\nmin_free_disk_bytes = 0\n")
        self.cookie = f"zssr={Sessions(state).begin(read_token(state))}"
        listener = socket.create_server((host, 0), backlog=512)
        self.port = int(listener.getsockname()[1])
        environment = {
            "PAGE_BOUNDS": json.dumps(dataclasses.asdict(bounds or Bounds())),
            "PAGE_KILL_AT": kill_at,
            "PAGE_FD": str(listener.fileno()),
        }
        with listener, (root / "page.out").open("wb") as output:
            self._process = subprocess.Popen(
                [*inside, sys.executable, SCRIPT, "settings.toml"],
                cwd=root,
                env=os.environ | environment,
                pass_fds=[listener.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        wait_until(lambda: b"web_started" in self.output() or self.is_over, "the page to start")
        assert not self.is_over, self.output()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.is_over:
            self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=30)
        if kind is None:
            assert code in {-signal.SIGTERM, -signal.SIGKILL}, self.output()
            assert b"Traceback" not in self.output()
            for line in self.output().splitlines():
                assert_valid(json.loads(line))

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    @property
    def rss_bytes(self) -> int:
        """How much memory the process holds."""
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """End it in order, and wait for that."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=30)

    def failure(self) -> bytes:
        """Wait until it refuses to start, and return why."""
        assert self._process.wait(timeout=60) == SettingsError.exit_code
        return b" ".join(self.output().split())

    def networks(self) -> list[str]:
        """Return the interfaces of networks that it sees."""
        lines = Path(f"/proc/{self._process.pid}/net/dev").read_text().splitlines()[2:]
        return [line.partition(":")[0].strip() for line in lines]

    def output(self) -> bytes:
        """Return what it has logged."""
        return (self.root / "page.out").read_bytes()

    def connect(self) -> socket.socket:
        """Open a connection; answers must come within a time that only a fault exceeds."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def send(self, *lines: str, body: bytes = b"") -> bytes:
        """Send a request as it is, with a Host unless it has one, and return the whole answer."""
        with self.connect() as connection:
            connection.sendall(request(*lines) + body)
            return read_all(connection)

    def write(self, method: str, path: str, *lines: str, body: bytes = b"") -> bytes:
        """Send what the page's own script would."""
        own = (f"Origin: http://127.0.0.1:{self.port}", "X-ZSSR: 1", f"Cookie: {self.cookie}")
        host = f"Host: 127.0.0.1:{self.port}"
        length = (
            () if any("chunked" in line for line in lines) else (f"Content-Length: {len(body)}",)
        )
        return self.send(f"{method} {path} HTTP/1.1", host, *own, *length, *lines, body=body)

    def batch(self) -> str:
        """Begin a batch."""
        answer = self.write("POST", "/batches", body=b"{}")
        assert status_of(answer) == 201, answer
        return str(json.loads(answer.partition(b"\r\n\r\n")[2])["batch"])

    def put(self, batch: str, name: str, content: bytes) -> bytes:
        """Upload a file."""
        return self.write("PUT", f"/batches/{batch}/files/{name}", body=content)


def request(*lines: str) -> bytes:
    """Return the head of a request that wants no other after it."""
    first, *rest = lines
    if not any(line.lower().startswith("host:") for line in rest):
        rest.append("Host: localhost")
    return "\r\n".join([first, *rest, "Connection: close", "", ""]).encode("latin-1")


def read_all(connection: socket.socket) -> bytes:
    """Return all that comes until the connection ends, however it does."""
    content = b""
    try:
        while more := connection.recv(65536):
            content += more
    except ConnectionResetError:
        pass
    return content


def status_of(answer: bytes) -> int:
    """Return the status of an answer; 0: there is none."""
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0
