"""RayCluster: a real head and real nodes of Ray on this machine, in a network of their own."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock

from tests.parts.daemon_process import is_alive, of_process, stat_of, wait_until
from tests.parts.net_space import NetSpace

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")

#: Nearly the least that Ray takes; what tests send is small.
_STORE_BYTES = 80_000_000


class RayCluster:
    """Starts machines, each an address of this one, and kills them."""

    def __init__(
        self,
        net: str = "127.0.0",
        tls: Mapping[str, str] | None = None,
        store_bytes: int = _STORE_BYTES,
    ) -> None:
        """Make the network; `net` are the first three numbers of all addresses."""
        self.space = NetSpace()
        self.net = net
        # A short name: Ray puts Unix sockets deep below it.
        self.folder = Path(tempfile.mkdtemp(prefix="zr", dir="/tmp"))
        self.token_file = self.folder / "token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(secrets.token_hex(32))
        self.address = f"{net}.2:26379"
        store = f"--object-store-memory={store_bytes}"
        self._quiet = ("--include-log-monitor=false", store, "--block")
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_file),
            "RAY_USAGE_STATS_ENABLED": "0",
            "OMP_NUM_THREADS": "1",
            **(tls or {}),
        }
        self.processes: dict[int, subprocess.Popen[bytes]] = {}  # by the last number of the address
        self._starting = Lock()

    def start_head(self) -> None:
        """Start the head, which computes nothing."""
        options = ["--head", f"--port={self.address.partition(':')[2]}", "--num-cpus=0"]
        options += [f"--temp-dir={self.folder}/t", "--include-dashboard=false"]
        self._start(2, *options, "--disable-usage-stats")

    def start_node(
        self, number: int, slots: int = 1, python_path: str | os.PathLike[str] = ROOT
    ) -> str:
        """Start a node with the program of `python_path`, and return its name."""
        options = [f"--address={self.address}", f"--num-cpus={slots}"]
        options += [f'--resources={{"zssr": {slots}}}']
        self._start(number, *options, python_path=str(python_path))
        return f"{self.net}.{number}"

    def kill_node(self, name: str) -> None:
        """Kill what holds a node together; Ray ends the rest of it."""
        (pid,) = self.raylets(name)
        os.kill(pid, signal.SIGKILL)

    def kill_head(self) -> None:
        """Kill what the whole cluster depends on."""
        for pid in self.of_head():
            os.kill(pid, signal.SIGKILL)

    def of_head(self) -> list[int]:
        """Return the process that the whole cluster depends on, if it is there."""
        return self._pids("gcs_server")

    def raylets(self, name: str) -> list[int]:
        """Return the process that holds a node together, if it is there."""
        return self._pids("raylet/raylet", f"--node_ip_address={name}")

    def actors(self, name: str) -> list[int]:
        """Return the processes of the workers of a node."""
        raylets = self.raylets(name)
        return [pid for pid in self._pids("ray::RemoteWorker") if _parent(pid) in raylets]

    @staticmethod
    def kill(pid: int) -> None:
        """Kill a process, and wait for its end."""
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_alive(pid), f"process {pid} to end")

    def close(self) -> None:
        """Kill everything, and remove what it left."""
        self.space.close()
        for process in self.processes.values():
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, number: int, *options: str, python_path: str = str(ROOT)) -> None:
        """Start a machine, and wait until it is up."""
        command = [sys.executable, str(RAY), "start", f"--node-ip-address={self.net}.{number}"]
        file = self.folder / f"{number}.log"
        with self._starting:  # on one machine Ray can start only one at a time
            with file.open("wb") as log:
                process = self.processes[number] = subprocess.Popen(
                    self.space.command(*command, *self._quiet, *options),
                    cwd="/",
                    env=os.environ | self.environment | {"PYTHONPATH": python_path},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )

            def is_up() -> bool:
                assert process.poll() is None, file.read_text()
                return b"runtime started" in file.read_bytes()

            wait_until(is_up, f"{self.net}.{number} to start")

    def _pids(self, *parts: str) -> list[int]:
        return [pid for pid in self.space.pids() if _has(pid, parts)]


def _has(pid: int, parts: tuple[str, ...]) -> bool:
    command = of_process(pid, "cmdline").replace(b"\0", b" ").decode()
    return is_alive(pid) and all(part in command for part in parts)


def _parent(pid: int) -> int | None:
    after_name = stat_of(pid)
    return int(after_name[1]) if after_name else None
