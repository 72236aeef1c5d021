"""Executor: what the supervisor asks of whoever runs its jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any, Protocol

from zssr_daemon.errors import Reason
from zssr_daemon.protocol.messages import WorkMessage, WorkOrder
from zssr_daemon.telemetry.status import WorkerStatus


class WorkerEnd(StrEnum):
    """Why a worker process ended."""

    CRASH = "crash"
    DEVICE_LOST = "device_lost"
    OOM = "oom"  # killed by the kernel: the memory of the machine ran out
    RECYCLE = "recycle"  # replaced between two jobs, to free what it holds
    SILENT = "silent"
    TIMEOUT = "timeout"

    @property
    def blame(self) -> Reason:
        """The reason for which the attempt failed that the worker had begun."""
        return Reason(f"worker_{self}")


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker process is gone, and replaced or to be replaced."""

    reason: WorkerEnd
    job_id: str | None  # the job it had begun and not answered for: the one to blame
    message: str


Event = WorkMessage | WorkerEnded

#: Is told a means of ending workers, and on how many it is used.
OnRung = Callable[[str, int], None]


def tell_nobody(rung: str, workers: int) -> None:
    """Stand in where nobody wants to be told: do nothing."""


class Executor(Protocol):
    """What the supervisor needs of a compute engine."""

    def has_room(self) -> bool:
        """Tell whether `submit` would start at once."""

    def is_lost(self) -> bool:
        """Tell whether no device can be used; the executor goes on trying.

        True from the moment the last usable device's worker fails to start, until some worker
        is ready; one that ends and is replaced is not lost before its replacement fails.
        """

    def workers(self) -> Sequence[WorkerStatus]:
        """Return how each worker is."""

    def submit(self, order: WorkOrder) -> str | None:
        """Start an attempt; return the device it runs on, None if the room is gone again."""

    def poll(self) -> list[Event]:
        """Return what has happened since the last call, without waiting."""

    def connections(self) -> "Sequence[Connection[Any, Any]]":
        """Return what to wait on for the next event."""

    def cancel_all(self, *, is_urgent: Callable[[], bool], on_rung: OnRung = tell_nobody) -> None:
        """End every attempt, politely unless it is urgent, and every process.

        on_rung is told each means that is used ("cancel", "sigterm", "sigkill"), and on how many.
        """
