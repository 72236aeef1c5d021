"""JointExecutor: several executors as one; the first that has room gets an order."""

from collections.abc import Callable, Sequence
from typing import Any

from zssr_daemon.executor.interface import ExecutorEvent, OnRung, Place, ignore_rung
from zssr_daemon.executor.slots import SlotExecutor
from zssr_daemon.executor.stop_ladder import end_all
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.telemetry.status import WorkerStatus


class JointExecutor:
    """The workers of all its parts."""

    def __init__(self, parts: Sequence[SlotExecutor]) -> None:
        """Take the parts in the order in which they get orders."""
        self._parts = parts

    def has_room(self) -> bool:
        """Tell whether some part has room."""
        return any(part.has_room() for part in self._parts)

    def is_lost(self) -> bool:
        """Tell whether every part is lost."""
        return all(part.is_lost() for part in self._parts)

    def workers(self) -> list[WorkerStatus]:
        """Return the status of each worker."""
        return [worker for part in self._parts for worker in part.workers()]

    def submit(self, order: WorkOrder) -> Place | None:
        """Start an attempt in the first part that has room; return where it runs."""
        for part in self._parts:
            if (place := part.submit(order)) is not None:
                return place
        return None

    def poll(self) -> list[ExecutorEvent]:
        """Return what has happened in all parts."""
        return [event for part in self._parts for event in part.poll()]

    def connections(self) -> list[Any]:
        """Return what to wait on for the next event."""
        return [end for part in self._parts for end in part.connections()]

    def unsent(self) -> list[Any]:
        """Return what to wait on until it can be written to."""
        return [end for part in self._parts for end in part.unsent()]

    def cancel(self, job_id: str) -> None:
        """Stop the attempt of a job, wherever it is in work."""
        for part in self._parts:
            part.cancel(job_id)

    def cancel_all(self, *, is_urgent: Callable[[], bool], on_rung: OnRung = ignore_rung) -> None:
        """Use each rung of the stop ladder for the workers of all parts at once."""
        end_all(self._parts, is_urgent, on_rung)
