"""LocalExecutor: the executor whose workers are processes on this machine."""

import math
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from zssr_daemon.executor.interface import (
    ExecutorEvent,
    OnRung,
    StopRung,
    WorkerEnd,
    WorkerEnded,
    ignore_rung,
)
from zssr_daemon.executor.placement import Placement
from zssr_daemon.executor.worker_slot import WorkerSlot
from zssr_daemon.protocol.messages import CANCEL, WorkCancelled, WorkOrder
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.telemetry.logs import LogSettings
from zssr_daemon.telemetry.status import WorkerStatus

#: A worker that is asked to cancel gets this long to finish its step, then, after SIGTERM, the
#: second of these to end.
_CANCEL_WAIT_S = 4.0
_TERMINATE_WAIT_S = 1.0


class LocalExecutor:
    """Worker processes on this machine, each bound to a device and to a number of threads."""

    def __init__(
        self,
        placements: Sequence[Placement],
        log: LogSettings,
        *,
        silent_after_s: float,
        job_timeout_s: float,
        max_jobs: int = 0,
        max_memory_bytes: float = math.inf,
    ) -> None:
        """Start the workers.

        A worker is replaced after `silent_after_s` without a sign of life and after
        `job_timeout_s` at one job; between two jobs, after `max_jobs` of them (0: never) and when
        it holds more than `max_memory_bytes`.
        """
        self._silent_after_s = silent_after_s
        self._job_timeout_s = job_timeout_s
        self._max_jobs = max_jobs
        self._max_memory_bytes = max_memory_bytes
        self._slots = [WorkerSlot(placement, log) for placement in placements]

    def has_room(self) -> bool:
        """Tell whether some worker is ready and idle."""
        return any(slot.is_free for slot in self._slots)

    def is_lost(self) -> bool:
        """Tell whether every worker failed to start, and none has become ready since."""
        return all(slot.is_lost for slot in self._slots)

    def workers(self) -> list[WorkerStatus]:
        """Return the status of each worker."""
        return [slot.status(self._silent_after_s) for slot in self._slots]

    def submit(self, order: WorkOrder) -> str | None:
        """Hand the order to a free worker; return its device."""
        slot = next((slot for slot in self._slots if slot.is_free), None)
        if slot is None:
            return None
        slot.start(order)
        return slot.device

    def poll(self) -> list[ExecutorEvent]:
        """Collect messages; replace workers that died, fell silent or ran out of time."""
        return [event for slot in self._slots for event in self._poll(slot)]

    def connections(self) -> "list[Connection[Any, Any]]":
        """Return the pipes of the workers."""
        return [slot.child.connection for slot in self._slots if slot.child]

    def cancel(self, job_id: str) -> None:
        """Ask the worker of a job to stop; `poll` uses the further rungs when they are due."""
        for slot in self._slots:
            if slot.order is not None and slot.order.job_id == job_id:
                slot.cancel()

    def cancel_all(self, *, is_urgent: Callable[[], bool], on_rung: OnRung = ignore_rung) -> None:
        """Use the rungs of the stop ladder in turn; once it is urgent, go to the last one."""
        if busy := self._busy():
            on_rung(StopRung.CANCEL, len(busy))
            for slot in busy:
                slot.send(CANCEL)
            self._wait_for_idle(_CANCEL_WAIT_S, is_urgent)
        if (busy := self._busy()) and not is_urgent():
            on_rung(StopRung.SIGTERM, len(busy))
            for child in busy.values():
                child.terminate()
            self._wait_for_idle(_TERMINATE_WAIT_S, is_urgent)
        if busy := self._busy():
            on_rung(StopRung.SIGKILL, len(busy))
        for slot in self._slots:
            slot.end()

    def _poll(self, slot: WorkerSlot) -> list[ExecutorEvent]:
        if slot.child is None and slot.fault is None:
            slot.spawn_when_due()
        # This is asked before the messages are read, so that a dead child's last ones count.
        was_alive = slot.child is not None and slot.child.is_alive
        events: list[ExecutorEvent] = [*slot.receive()]
        end = self._why_it_ends(slot, was_alive=was_alive)
        return events if end is None else events + self._replace(slot, *end)

    def _why_it_ends(self, slot: WorkerSlot, *, was_alive: bool) -> tuple[WorkerEnd, str] | None:
        """Return reason and message if the slot's process has ended, or must be ended."""
        if slot.fault is not None:
            return slot.how_it_failed()
        if slot.child is None:
            return None
        if not was_alive:
            return slot.how_it_died()
        if slot.cancelled_for_s > _CANCEL_WAIT_S:
            slot.child.terminate()
        return self._why_overdue(slot) or self._why_recycled(slot)

    def _why_overdue(self, slot: WorkerSlot) -> tuple[WorkerEnd, str] | None:
        if slot.cancelled_for_s > _CANCEL_WAIT_S + _TERMINATE_WAIT_S:
            return WorkerEnd.CANCELLED, "it did not end when its job was cancelled"
        if slot.overdue_s > self._silent_after_s:
            return WorkerEnd.SILENT, f"no sign of life for {self._silent_after_s} s"
        if slot.busy_for_s > self._job_timeout_s:
            return WorkerEnd.TIMEOUT, f"not done after {self._job_timeout_s} s"
        return None

    def _why_recycled(self, slot: WorkerSlot) -> tuple[WorkerEnd, str] | None:
        if slot.is_idle and 0 < self._max_jobs <= slot.jobs:
            return WorkerEnd.RECYCLE, f"after {slot.jobs} jobs"
        if slot.is_idle and slot.resident_bytes > self._max_memory_bytes:
            return WorkerEnd.RECYCLE, f"it holds {slot.resident_bytes} bytes after a job"
        return None

    def _replace(self, slot: WorkerSlot, reason: WorkerEnd, message: str) -> list[ExecutorEvent]:
        """Replace the process; a job that it had not begun goes back without a failed attempt."""
        order, had_begun = slot.order, slot.has_begun and not slot.is_cancelled
        if slot.is_cancelled:
            reason = WorkerEnd.CANCELLED
        slot.is_doubtful |= reason is WorkerEnd.SILENT
        slot.replace()
        if order is None or had_begun:
            return [WorkerEnded(reason, order.job_id if order else None, message)]
        return [WorkCancelled(job_id=order.job_id), WorkerEnded(reason, None, message)]

    def _busy(self) -> dict[WorkerSlot, ChildProcess]:
        """Return the slots whose worker is alive and has work in hand."""
        return {
            slot: slot.child
            for slot in self._slots
            if slot.order is not None and slot.child is not None and slot.child.is_alive
        }

    def _wait_for_idle(self, timeout_s: float, is_urgent: Callable[[], bool]) -> None:
        """Wait until no worker has work in hand, or it is urgent, or the time is up."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s and not is_urgent():
            for slot in self._slots:
                slot.receive()
            pipes = [child.connection for child in self._busy().values()]
            if not pipes:
                return
            wait(pipes, timeout=0.1)
