"""DaemonProcess: the real daemon in folders of its own, driven as a user would."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.parts.log_lines import assert_valid
from zssr_daemon.folders.markers import MARKER_NAME

DATA = Path(__file__).parent.parent / "data"

#: A real fit, only short: the daemon's guarantees do not depend on its length.
QUICK_ZSSR = """
num_epochs = 20
rounds = 1
model_width = 8
model_depth = 3
self_ensemble = false
back_projections = 2
"""

#: A fit that does not end within a test.
ENDLESS_ZSSR = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 1000000")

SETTINGS = """
[watch]
scan_interval_s = 0.5
stable_after_s = {stable_after_s}
unreadable_after_s = {unreadable_after_s}
[limits]
min_free_disk_bytes = 0
retry_after_s = 0.1
[worker]
devices = ["cpu"]
processes_per_device = 1
threads = 1
[logging]
file = "state/daemon.jsonl"
progress_interval_s = 0.2
{degradation}
[zssr]
{zssr}
{more}
"""

#: No search for blur, noise and JPEG, which takes longer than all else of a short job.
UNASKED = """
[degradation]
auto = false
"""

#: How long to wait for what must come; long, since a machine may be busy with other things.
WAIT_S = 150.0

#: How many of a daemon's last log lines a failed test shows.
LAST_LINES = 10


class DaemonProcess:
    """One run of the daemon; leaving the context ends it and checks that no process is left."""

    def __init__(
        self,
        root: Path,
        *arguments: str,
        command: Sequence[str] = ("-m", "zssr_daemon"),
        environment: Mapping[str, str] | None = None,
        **popen: Any,
    ) -> None:
        """Start it; `popen` replaces arguments of `subprocess.Popen`, as for another stdout."""
        self.root = root
        self._stdout = (root / "stdout.jsonl").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, *command, "run", "--settings", "settings.toml", *arguments],
            cwd=root,
            env=os.environ | (environment or {}),
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": self._stdout,
                "stderr": subprocess.PIPE,
                **popen,
            },
        )
        self._first_line = len(lines(root))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        children = self.children()
        if self._process.poll() is None:
            self._process.kill()
        _, stderr = self._process.communicate(timeout=WAIT_S)
        self._stdout.close()
        wait_until(lambda: not any(is_alive(pid) for pid in children), "the children to end")
        if error is not None:
            error.add_note(self._last_words(stderr.decode()))
            return
        assert stderr.decode() == ""
        for line in self.log():
            assert_valid(line)

    def _last_words(self, stderr: str) -> str:
        """Say how the daemon ended, for whoever reads why a test failed."""
        last = "\n".join(json.dumps(line) for line in self.log()[-LAST_LINES:])
        return f"daemon in {self.root}: exit code {self._process.returncode}\n{last}\n{stderr}"

    @property
    def pid(self) -> int:
        """The process id of the supervisor."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor alone."""
        self._process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for the end, and return how it ended."""
        return self._process.wait(timeout=WAIT_S)

    def children(self) -> list[int]:
        """Return the process ids of the supervisor's children."""
        # Of a daemon that is gone, the children have another parent already.
        return [int(pid) for pid in of_process(self.pid, f"task/{self.pid}/children").split()]

    def spawned(self) -> list[int]:
        """Return the process ids of the workers and the probe."""
        return [pid for pid in self.children() if b"spawn_main" in of_process(pid, "cmdline")]

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        return [pid for pid in self.spawned() if of_process(pid, "comm") == b"zssr-worker\n"]

    def wait_for(self, event: str, **keys: Any) -> dict[str, Any]:
        """Wait until this run has logged `event` with `keys`, and return the line."""
        wanted = {"event": event, **keys}
        return wait_for_line(self._process, self.log, wanted, lambda: stderr_of(self))

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines of this run."""
        return lines(self.root)[self._first_line :]


def stderr_of(daemon: DaemonProcess) -> str:
    """Return what a daemon that ended too early wrote to standard error."""
    stderr = daemon._process.stderr
    return stderr.read().decode() if stderr else ""


def wait_for_line(
    process: subprocess.Popen[Any],
    log: Callable[[], list[dict[str, Any]]],
    wanted: dict[str, Any],
    why_ended: Callable[[], object],
) -> dict[str, Any]:
    """Wait until a process has logged a line with what is wanted, and return the line."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        is_over = process.poll() is not None  # asked first, so that its last lines count
        found[:] = [line for line in log() if wanted.items() <= line.items()]
        assert found or not is_over, why_ended()
        return bool(found)

    wait_until(is_there, f"{wanted}")
    return found[0]


def lines(root: Path) -> list[dict[str, Any]]:
    """Return every whole line of the log file."""
    file = root / "state" / "daemon.jsonl"
    if not file.exists():
        return []
    whole, _, _ = file.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()]


def prepare(
    root: Path,
    zssr: str = QUICK_ZSSR,
    more: str = "",
    stable_after_s: float = 0.2,
    unreadable_after_s: float = 0.3,
    *,
    is_auto: bool = False,
) -> Path:
    """Write the settings, make the inbox, and return the inbox.

    is_auto: the settings have no table [degradation], so that each image is asked what it suffered.
    """
    text = SETTINGS.format(
        degradation="" if is_auto else UNASKED,
        zssr=zssr,
        more=more,
        stable_after_s=stable_after_s,
        unreadable_after_s=unreadable_after_s,
    )
    (root / "settings.toml").write_text(text)
    inbox = root / "inbox"
    inbox.mkdir(exist_ok=True)
    return inbox


def files(folder: Path) -> list[str]:
    """Return the paths of all files below `folder` but its marker, sorted."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER_NAME)
    return sorted(str(path.relative_to(folder)) for path in found)


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for a condition, or fail with what was waited for."""
    deadline = time.monotonic() + WAIT_S
    while not is_true():
        assert time.monotonic() < deadline, f"waited {WAIT_S} s for {what}"
        time.sleep(0.02)


def of_process(pid: int, name: str) -> bytes:
    """Return what a file of /proc says of a process, nothing once the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def stat_of(pid: int, thread: int | None = None) -> list[bytes]:
    """Return the state of a process or of one of its threads, its parent, and what follows.

    The list is empty once it is gone.
    """
    name = "stat" if thread is None else f"task/{thread}/stat"
    return of_process(pid, name).rpartition(b")")[2].split()


def is_alive(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie."""
    return stat_of(pid)[:1] not in ([], [b"Z"])


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run another command of the program in `root`."""
    return subprocess.run(
        [sys.executable, "-m", "zssr_daemon", *arguments],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
