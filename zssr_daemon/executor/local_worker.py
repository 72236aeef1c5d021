"""LocalWorker: a worker process on this machine."""

import signal

from zssr_daemon.executor.interface import WorkerEnd
from zssr_daemon.executor.placement import Placement
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.cgroup import oom_kills
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.system.start_retry import no_start
from zssr_daemon.telemetry.logs import LogSettings
from zssr_daemon.worker.main import worker_main


class LocalWorker(ChildProcess):
    """A `Child` that the kernel tells about."""

    def __init__(self, placement: Placement, log: LogSettings) -> None:
        """Start it.

        Raises:
            OSError: there is no room for another process, or for its pipe.
        """
        self._oom_kills = oom_kills()
        place = (placement.device, placement.threads, log, placement.memory_share)
        super().__init__("zssr-worker", worker_main, *place)

    def send(self, message: object) -> bool:
        """Send a message; a new order counts the kernel's kills anew. False: the child is gone."""
        if isinstance(message, WorkOrder):
            self._oom_kills = oom_kills()
        return super().send(message)

    def how_it_died(self, *, is_loaded: bool) -> tuple[WorkerEnd, str]:
        """Return reason and message for a process that ended by itself."""
        code = self.exit_code
        if code == -signal.SIGKILL and oom_kills() > self._oom_kills:
            return WorkerEnd.OOM, "killed by the kernel: the machine's memory ran out"
        if not is_loaded:
            return WorkerEnd.NO_START, no_start("worker", f"exit code {code}")
        return WorkerEnd.CRASH, f"exit code {code}"
