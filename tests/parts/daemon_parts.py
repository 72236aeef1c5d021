"""What several tests of the daemon need: waiting, hostile names, small pictures, ledger rows."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path

from tests.parts.picture_files import smooth_picture
from zssr_daemon.daemon.context import Context
from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.folders.markers import MARKER_NAME
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.sd_notify import Notifier
from zssr_daemon.telemetry.metrics import Metrics

DEADLINE_S = 60.0

#: More folders than an interpreter's stack has frames.
DEPTH = 1050

#: Legal file names, each of which has broken some program.
HOSTILE_NAMES = [
    "a.png",
    os.fsdecode(b"\xff\n.png"),
    "-rf .png",
    "x" * 251 + ".png",
    "超" * 83 + "a.png",
    "a." + "s" * 253,
    "{stem}%s'\"`$(x)\t.png",
]


def wait_until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Wait for something that must come; fail when it does not."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {DEADLINE_S} s for {what}"
        time.sleep(0.01)


def drop(folder: Path, name: str = "a.png", size: tuple[int, int] = (12, 10)) -> Path:
    """Put a small PNG into a folder the way users should: whole, by a rename."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = folder / ".being-written"
    with part.open("wb") as stream:
        smooth_picture(*size).save(stream, "PNG")
    return part.rename(target)


def identity_of(path: Path) -> FileIdentity:
    """Return which file a path names."""
    return FileIdentity.from_stat(path.lstat())


def queue(ledger: Ledger, settings: Settings, name: str = "a.png") -> Job:
    """Drop a file and queue it, as intake does."""
    path = drop(settings.folders.inbox, name)
    return ledger.add(name, identity_of(path), now=time.time(), width=12, height=10)


def context_of(settings: Settings, signals: Signals, control: ControlSocket) -> Context:
    """Return the context of a daemon without terminal and service manager."""
    return Context(
        signals=signals,
        load_settings=lambda: settings,
        notifier=Notifier(),
        control=control,
        metrics=Metrics(settings.metrics.textfile, settings.folders.by_name()),
        board=None,
    )


def files_in(folder: Path) -> list[str]:
    """List every file below a folder but its marker, by relative path."""
    found = (path for path in folder.rglob("*") if not path.is_dir() and path.name != MARKER_NAME)
    return sorted(str(path.relative_to(folder)) for path in found)


@contextmanager
def deeply_nested(folder: Path, name: str) -> Iterator[None]:
    """Hold a file in a chain of folders deeper than an interpreter's stack."""
    picture = drop(folder, name)
    fd = os.open(folder, os.O_RDONLY)
    for _ in range(DEPTH):
        os.mkdir("d", dir_fd=fd)
        outer, fd = fd, os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(outer)
    os.rename(picture, name, dst_dir_fd=fd)
    os.close(fd)
    try:
        yield
    finally:
        subprocess.run(["rm", "-r", folder / "d"], check=True)  # pytest could not


@contextmanager
def no_python() -> Iterator[None]:
    """Let no child process start, as while the interpreter is replaced."""
    resource_tracker.ensure_running()  # it runs since the first child, which came before
    spawn = multiprocessing.get_context("spawn")
    spawn.set_executable("/nonexistent/python")
    try:
        yield
    finally:
        spawn.set_executable(sys.executable)
