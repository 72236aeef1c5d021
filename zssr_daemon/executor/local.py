"""LocalExecutor: the executor whose workers are processes on this machine."""

from collections.abc import Sequence
from functools import partial

from zssr_daemon.executor.interface import Place
from zssr_daemon.executor.local_worker import LocalWorker
from zssr_daemon.executor.placement import Placement
from zssr_daemon.executor.slots import SlotExecutor, SlotLimits
from zssr_daemon.executor.worker_slot import WorkerSlot
from zssr_daemon.telemetry.logs import LogSettings


class LocalExecutor(SlotExecutor):
    """Worker processes on this machine, each bound to a device and to a number of threads."""

    def __init__(
        self, placements: Sequence[Placement], log: LogSettings, limits: SlotLimits
    ) -> None:
        """Start the workers."""
        super().__init__(limits)
        self._slots = [
            WorkerSlot(Place(placement.device), partial(LocalWorker, placement, log))
            for placement in placements
        ]
