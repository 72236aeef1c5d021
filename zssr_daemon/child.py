"""ChildProcess: a spawned process at the other end of a pipe, which can always be got rid of."""

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_SPAWN = multiprocessing.get_context("spawn")  # fork would copy threads' locks and CUDA's state


class ChildProcess:
    """Runs `target(connection, *args)` in a process of its own.

    The child must end when its end of the pipe reads EOF: that is how it learns that its parent
    is gone, whatever ended the parent.
    """

    def __init__(self, name: str, target: Callable[..., None], *args: Any) -> None:
        ours, theirs = _SPAWN.Pipe()
        self._connection = ours
        self._process = _SPAWN.Process(name=name, target=target, args=(theirs, *args), daemon=True)
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
        """How it ended: negative for a signal, None while it lives."""
        return self._process.exitcode

    def send(self, message: object) -> bool:
        """Send a message; False when the child is gone."""
        try:
            self._connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def received(self) -> list[Any]:
        """Return the messages that have come, without waiting; a dead child's last ones too."""
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
        """Wait for its end; tell whether it came."""
        self._process.join(timeout_s)
        return not self._process.is_alive()

    def kill(self) -> None:
        """End it at once (SIGKILL), and free what it held."""
        self._process.kill()
        self._process.join()
        self._connection.close()
