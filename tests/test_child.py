"""ChildProcess: it can be spoken to, got rid of, and never outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from daemon_parts import DEADLINE_S, wait_until

from zssr_daemon.child import ChildProcess

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
    """In order, and `received` never waits."""
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
    """SIGKILL needs nobody's consent, and the process is reaped."""
    child = ChildProcess("test-deaf", deaf)
    heard(child, 1)
    child.terminate()
    assert not child.join(0.1)
    pid = child.pid
    child.kill()
    assert not Path(f"/proc/{pid}").exists()


_PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_child import echo
from zssr_daemon.child import ChildProcess

if __name__ == "__main__":
    child = ChildProcess("orphan", echo)
    child.send("up")
    while not child.received():
        time.sleep(0.01)
    print(child.pid, flush=True)
    time.sleep(600)
"""


def test_child_ends_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed leaves nobody behind: the pipe's end says it."""
    (tmp_path / "parent.py").write_text(_PARENT)
    folder = str(Path(__file__).parent)
    with subprocess.Popen(
        [sys.executable, tmp_path / "parent.py", folder], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait(DEADLINE_S)
    wait_until(lambda: not _runs(pid), "the orphan's end")


def _runs(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
