"""GatewayProcess: the real gateway of a folder with settings, and a supervisor's double for it."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.parts.daemon_process import WAIT_S, wait_for_line, wait_until
from tests.parts.log_lines import assert_valid
from tests.parts.ray_cluster import RayCluster
from zssr_daemon.protocol.cluster_wire import (
    CLUSTER_SOCKET_NAME,
    Decoder,
    Ended,
    Frame,
    Give,
    Kill,
    Offer,
    Start,
    SupervisorFrame,
    Told,
    encode,
)
from zssr_daemon.protocol.messages import WorkerReady, WorkOrder

_Kind = TypeVar("_Kind")


def cluster_settings(cluster: RayCluster, **keys: str) -> str:
    """Return the table that `prepare` is given; keys replace what stands there."""
    told = {
        "address": f'"{cluster.address}"',
        "token_file": f'"{cluster.token_file}"',
        "tls": "false",
        **keys,
    }
    return "[cluster]\n" + "".join(f"{key} = {value}\n" for key, value in told.items())


class GatewayProcess:
    """One run of the gateway; leaving the context ends it."""

    def __init__(
        self, root: Path, cluster: RayCluster, environment: Mapping[str, str] | None = None
    ) -> None:
        self._file = root / "gateway.jsonl"
        self._first_line = len(self._all_lines())
        words = [sys.executable, "-m", "zssr_daemon", "cluster", "--settings", "settings.toml"]
        with self._file.open("ab") as stdout, (root / "gateway.err").open("ab") as stderr:
            self._process = subprocess.Popen(
                cluster.space.command(*words),
                cwd=root,
                env=os.environ | cluster.environment | {"NO_COLOR": "1", **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        if kind is None:
            for line in self.log():
                assert_valid(line)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(timeout=WAIT_S)

    def exit_code(self) -> int:
        """Wait for its end, and return how it ended."""
        return self._process.wait(timeout=WAIT_S)

    def log(self) -> list[dict[str, Any]]:
        """Return the log lines of this run."""
        return self._all_lines()[self._first_line :]

    def wait_for(self, event: str, **keys: Any) -> dict[str, Any]:
        """Wait until this run has logged `event` with `keys`, and return the line."""
        wanted = {"event": event, **keys}
        return wait_for_line(self._process, self.log, wanted, lambda: f"it ended: {self.log()}")

    def _all_lines(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        whole, _, _ = self._file.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]


class WireSupervisor:
    """Listens where the supervisor would, and speaks with the gateway in frames."""

    def __init__(self, state: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(state / CLUSTER_SOCKET_NAME))
        self._server.listen(1)
        self._connection: socket.socket | None = None
        self._decoder = Decoder()
        self._generation = 0
        self._present: dict[str, int] = {}
        self.frames: list[Frame] = []  # all that ever came
        self._first = 0  # of those that answer the last order

    def accept(self) -> None:
        """Wait for a gateway."""
        wait_until(lambda: bool(select.select([self._server], [], [], 0)[0]), "a gateway")
        self._connection, _ = self._server.accept()
        self._connection.setblocking(False)

    def send(self, frame: SupervisorFrame) -> None:
        """Send a frame."""
        assert self._connection is not None
        self._connection.sendall(encode(frame))

    def wait_for(self, kind: type[_Kind], **keys: Any) -> _Kind:
        """Wait for a frame of a kind with these values, and return it."""
        found: list[Any] = []

        def is_there() -> bool:
            self.poll()
            found[:] = [frame for frame in self.frames if _fits(frame, kind, keys)]
            return bool(found)

        wait_until(is_there, f"{kind.__name__} {keys}, among {self.frames[-5:]}")
        return found[0]  # type: ignore[no-any-return]

    def told(self, kind: type[_Kind], slot: str, generation: int) -> _Kind:
        """Wait until a worker says something of a kind to its last order, and return it."""
        found: list[Any] = []

        def is_there() -> bool:
            self.poll()
            found[:] = [
                frame.message
                for frame in self.frames[self._first :]
                if isinstance(frame, Told)
                and (frame.slot, frame.generation) == (slot, generation)
                and isinstance(frame.message, kind)
            ]
            return bool(found)

        wait_until(is_there, f"{kind.__name__} of {slot}, among {self.frames[-5:]}")
        return found[0]  # type: ignore[no-any-return]

    def give(self, slot: str, generation: int, order: WorkOrder) -> None:
        """Hand an order to a worker."""
        self.poll()
        self._first = len(self.frames)
        self.send(Give(slot=slot, generation=generation, message=order))

    def worker_at(self, slot: str) -> int:
        """Return the number of the worker at a slot, ready; start one where none is."""
        self.poll()
        ended = {frame.generation for frame in self.frames if isinstance(frame, Ended)}
        present = self._present.get(slot)
        if present is None or present in ended:
            self.wait_for(Offer, slot=slot)
            self._generation += 1
            present = self._present[slot] = self._generation
            self.send(Start(slot=slot, generation=present))
            self._first = len(self.frames)
            self.told(WorkerReady, slot, present)
        return present

    def kill(self, slot: str) -> None:
        """Have the worker at a slot killed."""
        self.send(Kill(slot=slot, generation=self._present.pop(slot)))

    def poll(self) -> None:
        """Take in what has come."""
        assert self._connection is not None
        with suppress(BlockingIOError):
            while received := self._connection.recv(1 << 16):
                self.frames += self._decoder.feed(received)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
        self._server.close()


def _fits(frame: Frame, kind: type, keys: dict[str, Any]) -> bool:
    return isinstance(frame, kind) and all(
        getattr(frame, key) == value for key, value in keys.items()
    )
