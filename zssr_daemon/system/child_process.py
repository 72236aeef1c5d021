"""ChildProcess: a spawned process at the other end of a pipe, which can always be ended."""

import ctypes
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_SPAWN = multiprocessing.get_context("spawn")  # fork would copy threads' locks and CUDA's state

# From <linux/prctl.h>.
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15

#: How long to wait for a killed process. One that hangs in the kernel, as on a dead network share,
#: ends when the kernel lets it, and nobody may wait for that.
_KILL_WAIT_S = 5.0


class ChildProcess:
    """Runs `target(connection, *args)` in a process of its own, which never outlives its parent.

    The kernel kills the child when the parent's thread that started it ends, so start it in the
    main thread. A child that wants to end in order ends when its end of the pipe reads EOF.
    """

    def __init__(self, name: str, target: Callable[..., None], *args: Any) -> None:
        """Start the process; `name`, of at most 15 bytes, is what `ps` shows for it.

        Raises:
            OSError: there is no room for another process, or for its pipe.
        """
        ours, theirs = _SPAWN.Pipe()
        self._connection = ours
        self._process = _SPAWN.Process(
            name=name, target=_run, args=(name, target, theirs, *args), daemon=True
        )
        self._process.start()
        theirs.close()  # or we would never read EOF when the child dies

    @property
    def connection(self) -> "Connection[Any, Any]":
        """Our end of the pipe, to wait on."""
        return self._connection

    @property
    def pid(self) -> int:
        """The child's process id."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """How it ended: the negative number of a signal, or None while it is alive."""
        return self._process.exitcode

    @property
    def resident_bytes(self) -> int:
        """How much memory it holds now; 0 when it is gone."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * resource.getpagesize()

    def send(self, message: object) -> bool:
        """Send a message; False when the child is gone."""
        try:
            self._connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def received(self) -> list[Any]:
        """Return, without waiting, the messages that have come; a dead child's last ones too."""
        messages = []
        try:
            while self._connection.poll():
                messages.append(self._connection.recv())
        except (EOFError, OSError):
            pass  # it is gone, as `is_alive` will tell
        return messages

    def terminate(self) -> None:
        """Ask the kernel to end it (SIGTERM)."""
        self._process.terminate()

    def join(self, timeout_s: float) -> bool:
        """Wait for its end, at most `timeout_s`; tell whether it has ended."""
        self._process.join(timeout_s)
        return not self._process.is_alive()

    def kill(self) -> None:
        """End it at once (SIGKILL), and free what it held."""
        self._process.kill()
        self._process.join(_KILL_WAIT_S)
        self._connection.close()


def _run(name: str, target: Callable[..., None], connection: Any, *args: Any) -> None:
    """Run in the child: tie it to its parent, then do its work."""
    parent = multiprocessing.parent_process()
    tie_to_parent(name, parent.pid if parent else None)
    target(connection, *args)


def tie_to_parent(name: str, parent_pid: int | None) -> None:
    """Have the kernel kill this process when its parent ends, and give it its name."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))
    if os.getppid() != parent_pid:  # the parent ended before that call
        os.kill(os.getpid(), signal.SIGKILL)
