"""NetSpace: a network that ends at this machine, for programs that would listen on all of it."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.parts.tools import tool

#: Nothing in it outlives this.
_LIFE_S = 900

#: Runs first inside: takes the loopback up, names all interfaces, and holds the place open.
_HOLDER = f"""
import fcntl, socket, struct, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS
print(*(name for _, name in socket.if_nameindex()), flush=True)
time.sleep({_LIFE_S})
"""


class NetSpace:
    """A network namespace with `lo` alone; leaving it kills every process in it."""

    def __init__(self) -> None:
        """Make it; a test that may not is skipped."""
        command = [tool("unshare", package="util-linux"), "--net", sys.executable, "-c", _HOLDER]
        self._holder = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        interfaces = self._holder.stdout.readline().split()
        if not interfaces:
            told = self._holder.stderr.read().strip()
            pytest.skip(f"network namespaces cannot be made here: {told}")
        assert interfaces == ["lo"], "Ray must never listen on a real network"
        self._path = Path(f"/proc/{self._holder.pid}/ns/net")
        self._id = self._path.readlink()
        assert self._id != Path("/proc/self/ns/net").readlink()
        self._enter = [tool("nsenter", package="util-linux"), f"--net={self._path}"]

    def command(self, *words: str) -> list[str]:
        """Return the command that runs another one inside, with the same process id."""
        return [*self._enter, *words]

    def pids(self) -> list[int]:
        """Return all processes inside, but for the one that holds it open."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != self._holder.pid:
                with suppress(OSError):  # gone meanwhile
                    if (folder / "ns/net").readlink() == self._id:
                        found.append(int(folder.name))
        return found

    def close(self) -> None:
        """Kill all that is inside."""
        deadline_s = time.monotonic() + 30
        while pids := self.pids():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            assert time.monotonic() < deadline_s, f"{pids} outlive SIGKILL"
            time.sleep(0.05)
        self._holder.kill()
        self._holder.communicate()
