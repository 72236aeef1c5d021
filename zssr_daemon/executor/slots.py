"""SlotExecutor: what all executors do that have slots for worker processes, wherever these run."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zssr_daemon.executor.interface import (
    Child,
    ExecutorEvent,
    OnRung,
    Place,
    WorkerEnd,
    WorkerEnded,
    ignore_rung,
)
from zssr_daemon.executor.stop_ladder import CANCEL_WAIT_S, TERMINATE_WAIT_S, end_all
from zssr_daemon.executor.worker_slot import WorkerSlot
from zssr_daemon.protocol.messages import WorkCancelled, WorkOrder
from zssr_daemon.telemetry.status import WorkerStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotLimits:
    """When a worker is replaced."""

    silent_after_s: float  # without a sign of life
    job_timeout_s: float  # at one job
    max_jobs: int = 0  # between two jobs, after so many of them; 0: never
    max_memory_bytes: float = math.inf  # between two jobs, when it holds more


class SlotExecutor:
    """Gives orders to the workers of its slots, and replaces those that have to be."""

    def __init__(self, limits: SlotLimits) -> None:
        self.limits = limits
        self._slots: list[WorkerSlot] = []

    def has_room(self) -> bool:
        """Tell whether some worker is ready and idle."""
        return any(slot.is_free for slot in self._slots)

    def is_lost(self) -> bool:
        """Tell whether every worker failed to start, and none has become ready since."""
        return all(slot.is_lost for slot in self._slots)

    def workers(self) -> list[WorkerStatus]:
        """Return the status of each worker."""
        return [slot.status(self.limits.silent_after_s) for slot in self._slots]

    def submit(self, order: WorkOrder) -> Place | None:
        """Hand the order to a free worker; return where that is."""
        slot = next((slot for slot in self._slots if slot.is_free), None)
        if slot is None:
            return None
        slot.start(order)
        return slot.place

    def poll(self) -> list[ExecutorEvent]:
        """Collect messages; replace workers that died, fell silent or ran out of time."""
        events = [event for slot in self._slots for event in self._poll(slot)]
        self._slots = [slot for slot in self._slots if slot.withdrawn is None]
        return events

    def connections(self) -> list[Any]:
        """Return what to wait on for the next message of a worker."""
        return [slot.child.connection for slot in self._slots if slot.child]

    def unsent(self) -> list[Any]:
        """Return nothing: messages to workers are short, and leave at once."""
        return []

    def cancel(self, job_id: str) -> None:
        """Ask the worker of a job to stop; `poll` uses the further rungs when they are due."""
        for slot in self._slots:
            if slot.order is not None and slot.order.job_id == job_id:
                slot.cancel()

    def cancel_all(self, *, is_urgent: Callable[[], bool], on_rung: OnRung = ignore_rung) -> None:
        """Use the rungs of the stop ladder in turn; once it is urgent, go to the last one."""
        end_all([self], is_urgent, on_rung)

    # -- for the stop ladder ------------------------------------------------------------------

    def busy(self) -> dict[WorkerSlot, Child]:
        """Return the slots whose worker is alive and has work in hand."""
        return {
            slot: slot.child
            for slot in self._slots
            if slot.order is not None and slot.child is not None and slot.child.is_alive
        }

    def hear(self) -> None:
        """Note what the workers have said, and tell nobody."""
        for slot in self._slots:
            slot.receive()

    def end(self) -> None:
        """Kill every process."""
        for slot in self._slots:
            slot.end()

    # -- one slot -----------------------------------------------------------------------------

    def _poll(self, slot: WorkerSlot) -> list[ExecutorEvent]:
        if slot.child is None and slot.fault is None and slot.withdrawn is None:
            slot.spawn_when_due()
        # This is asked before the messages are read, so that a dead child's last ones count.
        was_alive = slot.child is not None and slot.child.is_alive
        events: list[ExecutorEvent] = [*slot.receive()]
        end = self._why_it_ends(slot, was_alive=was_alive)
        return events if end is None else events + self._replace(slot, *end)

    def _why_it_ends(self, slot: WorkerSlot, *, was_alive: bool) -> tuple[WorkerEnd, str] | None:
        """Return reason and message if the slot's process has ended, or must be ended."""
        if slot.withdrawn is not None:
            return slot.withdrawn
        if slot.fault is not None:
            return slot.how_it_failed()
        if slot.child is None:
            return None
        if not was_alive:
            return slot.how_it_died()
        if slot.cancelled_for_s > CANCEL_WAIT_S:
            slot.child.terminate()
        return self._why_overdue(slot) or self._why_recycled(slot)

    def _why_overdue(self, slot: WorkerSlot) -> tuple[WorkerEnd, str] | None:
        limits = self.limits
        if slot.cancelled_for_s > CANCEL_WAIT_S + TERMINATE_WAIT_S:
            return WorkerEnd.CANCELLED, "it did not end when its job was cancelled"
        if slot.overdue_s > limits.silent_after_s:
            return WorkerEnd.SILENT, f"no sign of life for {limits.silent_after_s} s"
        if slot.busy_for_s > limits.job_timeout_s:
            return WorkerEnd.TIMEOUT, f"not done after {limits.job_timeout_s} s"
        return None

    def _why_recycled(self, slot: WorkerSlot) -> tuple[WorkerEnd, str] | None:
        if slot.is_idle and 0 < self.limits.max_jobs <= slot.jobs:
            return WorkerEnd.RECYCLE, f"after {slot.jobs} jobs"
        if slot.is_idle and slot.resident_bytes > self.limits.max_memory_bytes:
            return WorkerEnd.RECYCLE, f"it holds {slot.resident_bytes} bytes after a job"
        return None

    def _replace(self, slot: WorkerSlot, reason: WorkerEnd, message: str) -> list[ExecutorEvent]:
        """Replace the process; a job that it had not begun goes back without a failed attempt."""
        order, had_begun = slot.order, slot.has_begun and not slot.is_cancelled
        if slot.is_cancelled and slot.withdrawn is None:
            reason = WorkerEnd.CANCELLED
        slot.is_doubtful |= reason is WorkerEnd.SILENT
        slot.replace()
        is_blamed = order is not None and had_begun and self._is_blamed(reason, order.job_id)
        if order is None or is_blamed:
            job_id = order.job_id if order else None
            return [WorkerEnded(reason, job_id, message, slot.place.node)]
        ended = WorkerEnded(reason, None, message, slot.place.node)
        return [WorkCancelled(job_id=order.job_id), ended]

    def _is_blamed(self, _reason: WorkerEnd, _job_id: str) -> bool:
        """Tell whether an end of a worker spends an attempt of the job that it had begun."""
        return True
