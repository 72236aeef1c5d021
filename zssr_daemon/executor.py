"""Executor: the seam between the ledger and whatever computes.

Work is at-least-once on this side of the seam; the ledger and the publish protocol make it
exactly-once. So any engine that can lose or repeat work is safe behind it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from zssr_daemon.child import ChildProcess
from zssr_daemon.logs import LogSettings
from zssr_daemon.messages import (
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerReady,
    WorkFailed,
    WorkMessage,
    WorkOrder,
)
from zssr_daemon.placement import Placement
from zssr_daemon.status import WorkerStatus
from zssr_daemon.worker import CANCEL, worker_main

#: A worker that is asked to stop gets this long for its step, then this long for SIGTERM.
_CANCEL_WAIT_S = 4.0
_TERMINATE_WAIT_S = 1.0

#: A worker that does not even start is tried again after this, doubling up to the second.
_START_RETRY_S = 5.0
_START_RETRY_MAX_S = 300.0


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker process is gone and replaced; `reason` is a slug."""

    reason: str
    job_id: str | None  # the job it had in hand
    message: str


Event = WorkMessage | WorkerEnded


class Executor(Protocol):
    """What the supervisor needs of a compute engine."""

    def has_room(self) -> bool:
        """Tell whether `submit` would start at once."""

    def is_lost(self) -> bool:
        """Tell whether no device can be used; the executor goes on trying."""

    def workers(self) -> Sequence[WorkerStatus]:
        """Return how each worker is."""

    def submit(self, order: WorkOrder) -> str:
        """Start an attempt; return the device it runs on."""

    def poll(self) -> list[Event]:
        """Return what has happened since the last call, without waiting."""

    def connections(self) -> "Sequence[Connection[Any, Any]]":
        """Return what to wait on for the next event."""

    def cancel_all(self, *, is_urgent: Callable[[], bool]) -> None:
        """End every attempt, politely unless it is urgent, and every process."""


class LocalExecutor:
    """Worker processes on this machine, each bound to a device and to a number of threads."""

    def __init__(
        self,
        placements: Sequence[Placement],
        log: LogSettings,
        *,
        silent_after_s: float,
        job_timeout_s: float,
    ) -> None:
        self._silent_after_s = silent_after_s
        self._job_timeout_s = job_timeout_s
        self._slots = [_Slot(placement, log) for placement in placements]

    def has_room(self) -> bool:
        """Tell whether some worker is ready and idle."""
        return any(slot.is_free for slot in self._slots)

    def is_lost(self) -> bool:
        """Tell whether every worker failed to start."""
        return all(slot.child is None for slot in self._slots)

    def workers(self) -> list[WorkerStatus]:
        """Return how the process in each place is."""
        return [slot.status(self._silent_after_s) for slot in self._slots]

    def submit(self, order: WorkOrder) -> str:
        """Hand the order to a free worker; return its device."""
        slot = next(slot for slot in self._slots if slot.is_free)
        slot.start(order)
        return slot.device

    def poll(self) -> list[Event]:
        """Collect messages; replace workers that died, fell silent or ran out of time."""
        return [event for slot in self._slots for event in self._poll(slot)]

    def connections(self) -> "list[Connection[Any, Any]]":
        """Return the pipes of the workers."""
        return [slot.child.connection for slot in self._slots if slot.child]

    def cancel_all(self, *, is_urgent: Callable[[], bool]) -> None:
        """Climb down the ladder: cancel, SIGTERM, SIGKILL; when urgent, jump to the last rung."""
        self._ask_to_stop(is_urgent)
        for slot in self._slots:
            slot.end()

    def _poll(self, slot: "_Slot") -> list[Event]:
        if slot.child is None:
            slot.spawn_when_due()
            return []
        was_alive = slot.child.is_alive  # asked first: a dead child's last messages still count
        events: list[Event] = [*slot.receive()]
        if not was_alive:
            events.append(slot.replace(*slot.why_it_ended()))
        elif slot.silent_for_s > self._silent_after_s:
            events.append(slot.replace("silent", f"no sign of life for {self._silent_after_s} s"))
        elif slot.busy_for_s > self._job_timeout_s:
            events.append(slot.replace("timeout", f"not done after {self._job_timeout_s} s"))
        return events

    def _ask_to_stop(self, is_urgent: Callable[[], bool]) -> None:
        for slot in self._slots:
            if slot.order is not None:
                slot.send(CANCEL)
        self._wait_for_idle(_CANCEL_WAIT_S, is_urgent)
        for slot in self._slots:
            if slot.order is not None and slot.child is not None:
                slot.child.terminate()
        self._wait_for_idle(_TERMINATE_WAIT_S, is_urgent)

    def _wait_for_idle(self, timeout_s: float, is_urgent: Callable[[], bool]) -> None:
        """Wait until no worker that lives has work in hand, or until it is urgent."""
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s and not is_urgent():
            for slot in self._slots:
                slot.receive()
            busy = [slot.child for slot in self._slots if slot.order is not None and slot.child]
            pipes = [child.connection for child in busy if child.is_alive]
            if not pipes:
                return
            wait(pipes, timeout=0.1)


class _Slot:
    """One place for a worker process; the process may be replaced, the place stays."""

    def __init__(self, placement: Placement, log: LogSettings) -> None:
        self._placement = placement
        self._log = log
        self.device = placement.device
        self._failed_starts = 0
        self._ended_s = 0.0
        self._fault: str | None = None  # of the device, as the worker told it
        self._is_doubtful = False  # the worker before this one hung
        self._spawn()

    def _spawn(self) -> None:
        self.order: WorkOrder | None = None
        self._is_ready = False
        self._started_s = self._heard_s = time.monotonic()
        placement = self._placement
        self.child: ChildProcess | None = ChildProcess(
            "zssr-worker",
            worker_main,
            placement.device,
            placement.threads,
            self._log,
        )

    def spawn_when_due(self) -> None:
        """Try again, after a pause that doubles with every start that failed."""
        wait_s = min(_START_RETRY_MAX_S, _START_RETRY_S * 2 ** (self._failed_starts - 1))
        if time.monotonic() - self._ended_s >= wait_s:
            self._spawn()

    def status(self, silent_after_s: float) -> WorkerStatus:
        """Return how the worker is; the successor of one that hung has to prove itself first."""
        is_heard = self.silent_for_s <= silent_after_s and not self._is_doubtful
        return WorkerStatus(
            device=self.device,
            is_ready=self._is_ready,
            is_well=self.child is not None and is_heard,
            silent_for_s=round(self.silent_for_s, 1),
        )

    @property
    def is_free(self) -> bool:
        """Whether the worker can begin at once; one that died idle costs no job an attempt."""
        return self._is_idle and self.child is not None and self.child.is_alive

    @property
    def _is_idle(self) -> bool:
        return self._is_ready and self.order is None

    @property
    def silent_for_s(self) -> float:
        """Seconds since the last sign of life of a worker that owes one."""
        return 0.0 if self._is_idle else time.monotonic() - self._heard_s

    @property
    def busy_for_s(self) -> float:
        return 0.0 if self.order is None else time.monotonic() - self._started_s

    def start(self, order: WorkOrder) -> None:
        self.order = order
        self._started_s = self._heard_s = time.monotonic()
        self.send(order)

    def send(self, message: object) -> None:
        """Send to the worker; one that died just now is noticed by the next poll."""
        if self.child is not None:
            self.child.send(message)

    def receive(self) -> list[WorkMessage]:
        messages: list[WorkMessage] = self.child.received() if self.child else []
        for message in messages:
            self._heard_s = time.monotonic()
            if isinstance(message, WorkerReady):
                self._is_ready = True
                self._is_doubtful = False
                self._failed_starts = 0
                self.device = message.device
            elif isinstance(message, WorkerBroken):
                self._fault = message.message
            elif isinstance(message, WorkDone | WorkFailed | WorkCancelled):
                self.order = None
        return messages

    def why_it_ended(self) -> tuple[str, str]:
        """Return reason and message for a worker process that is gone."""
        if self._fault is not None:
            return "device_lost", self._fault
        return "crash", f"exit code {self.child.exit_code if self.child else None}"

    def replace(self, reason: str, message: str) -> WorkerEnded:
        """Kill the process and start another; at once, unless it never came to be ready."""
        ended = WorkerEnded(reason, self.order.job_id if self.order else None, message)
        was_ready = self._is_ready
        self._is_doubtful |= reason == "silent"
        self._fault = None
        self.end()
        if was_ready:
            self._spawn()
        else:
            self._failed_starts += 1
        return ended

    def end(self) -> None:
        """Kill the process."""
        if self.child is not None:
            self.child.kill()
            self.child = None
            self._ended_s = time.monotonic()
