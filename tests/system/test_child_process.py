"""ChildProcess: it sends and receives, can always be ended, and never outlives its parent."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import DEADLINE_S, wait_until
from tests.parts.daemon_process import is_alive
from zssr_daemon.system.child_process import ChildProcess

FAREWELL = "farewell"


def echo(connection: "Connection[Any, Any]") -> None:
    """Answer each message with itself until the pipe ends; "die" says farewell and dies."""
    try:
        while True:
            message = connection.recv()
            if message == "die":
                connection.send(FAREWELL)
                os.kill(os.getpid(), signal.SIGKILL)
            connection.send(message)
    except EOFError:
        return


def deaf(connection: "Connection[Any, Any]") -> None:
    """Ignore SIGTERM and the pipe."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with suppress(OSError):
        connection.send("ready")
    while True:
        time.sleep(0.1)


def heard(child: ChildProcess, count: int) -> list[Any]:
    """Wait for `count` messages."""
    messages: list[Any] = []

    def is_enough() -> bool:
        messages.extend(child.received())
        return len(messages) >= count

    wait_until(is_enough)
    return messages


@pytest.fixture
def child() -> Iterator[ChildProcess]:
    """Start a child that echoes."""
    child = ChildProcess("test-echo", echo)
    yield child
    child.kill()


def test_messages_travel_both_ways(child: ChildProcess) -> None:
    """Messages come in order, and `received` never waits."""
    assert child.received() == []
    for number in range(3):
        assert child.send(number)
    assert heard(child, 3) == [0, 1, 2]
    assert child.is_alive
    assert child.exit_code is None


def test_last_words_are_heard(child: ChildProcess) -> None:
    """What a child sent before it died still counts; sending to it is no error."""
    child.send("die")
    wait_until(lambda: not child.is_alive)
    assert child.received() == [FAREWELL]
    assert child.received() == []
    assert child.exit_code == -signal.SIGKILL
    assert not child.send("anybody?")


def test_deaf_child_is_killed() -> None:
    """A child that ignores SIGTERM ends by SIGKILL, and is reaped."""
    child = ChildProcess("test-deaf", deaf)
    heard(child, 1)
    child.terminate()
    assert not child.join(0.1)
    pid = child.pid
    child.kill()
    assert not Path(f"/proc/{pid}").exists()


def hung_in_native_code(connection: "Connection[Any, Any]") -> None:
    """Hold the interpreter's lock in a call that never ends, like a library that hangs."""
    connection.send("ready")
    ctypes.PyDLL(None).sleep(600)


_PARENT = """
import os, signal, sys, time
sys.path.insert(0, sys.argv[1])
from tests.system import test_child_process
from zssr_daemon.system.child_process import ChildProcess

if __name__ == "__main__":
    child = ChildProcess("zssr-orphan", getattr(test_child_process, sys.argv[2]))
    if sys.argv[3] == "stopped-at-start":
        os.kill(child.pid, signal.SIGSTOP)
    else:
        child.send("up")
        while not child.received():
            time.sleep(0.01)
    if sys.argv[3] == "stopped":
        os.kill(child.pid, signal.SIGSTOP)
    print(child.pid, flush=True)
    time.sleep(600)
"""


def orphan_of_killed_parent(tmp_path: Path, target: str, state: str) -> int:
    """Start a parent with a child, kill the parent, and return the child's process id."""
    (tmp_path / "parent.py").write_text(_PARENT)
    folder = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", folder, target, state], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
        parent.wait(DEADLINE_S)
    return pid


@pytest.mark.parametrize(
    ("target", "state"),
    [
        ("echo", "running"),
        ("deaf", "running"),
        ("deaf", "stopped"),
        ("hung_in_native_code", "running"),
    ],
)
def test_child_ends_with_its_parent(tmp_path: Path, target: str, state: str) -> None:
    """A parent that is killed leaves no child behind, whatever the child is doing."""
    pid = orphan_of_killed_parent(tmp_path, target, state)
    wait_until(lambda: not is_alive(pid), "the orphan's end")


def test_child_whose_parent_ended_first_ends_too(tmp_path: Path) -> None:
    """A child also ends whose parent died before the child could ask the kernel for that."""
    pid = orphan_of_killed_parent(tmp_path, "deaf", "stopped-at-start")
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not is_alive(pid), "the orphan's end")


def test_child_has_a_name(child: ChildProcess) -> None:
    """A child has its own name in the process table."""
    child.send("up")
    heard(child, 1)
    assert Path(f"/proc/{child.pid}/comm").read_text() == "test-echo\n"


def test_resident_size_is_told(child: ChildProcess) -> None:
    """The size is that of an interpreter at least, and 0 once the process is gone."""
    child.send("up")
    heard(child, 1)
    assert child.resident_bytes > 1_000_000
    child.kill()
    assert child.resident_bytes == 0
