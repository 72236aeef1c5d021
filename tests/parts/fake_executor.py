"""FakeExecutor: an executor that answers as a test tells it, and writes real part files."""

import hashlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.parts.work_reports import report_of
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import ExecutorEvent, OnRung, Place, WorkerEnd, WorkerEnded
from zssr_daemon.protocol.messages import WorkCancelled, WorkDone, WorkFailed, WorkOrder
from zssr_daemon.telemetry.status import WorkerStatus

Answer = Callable[[WorkOrder], list[ExecutorEvent]]


def content_of(order: WorkOrder) -> bytes:
    """Return what stands for an output: it shows which source it was made from."""
    return b"enlarged " + (Path(order.inbox) / order.src_rel).read_bytes()


def good(order: WorkOrder) -> list[ExecutorEvent]:
    """Write the part and say so."""
    content = content_of(order)
    Path(order.part).write_bytes(content)
    report = report_of(
        seconds={"decode": 0.0, "fit": 1.0, "infer": 0.1, "encode": 0.0},
        psnr_network_db=30.0,
        psnr_bicubic_db=29.0,
    )
    sha256 = hashlib.sha256(content).hexdigest()
    return [WorkDone(job_id=order.job_id, out_sha256=sha256, report=report)]


def failing(reason: Reason = Reason.INTERNAL_ERROR, *, is_retryable: bool = True) -> Answer:
    """Leave half a part and fail."""

    def answer(order: WorkOrder) -> list[ExecutorEvent]:
        Path(order.part).write_bytes(b"half")
        return [
            WorkFailed(
                job_id=order.job_id, reason=reason, message="told so", is_retryable=is_retryable
            )
        ]

    return answer


def dying(order: WorkOrder) -> list[ExecutorEvent]:
    """Leave half a part and die."""
    Path(order.part).write_bytes(b"half")
    return [WorkerEnded(WorkerEnd.CRASH, order.job_id, "exit code -11")]


def silent(order: WorkOrder) -> list[ExecutorEvent]:
    """Never answer."""
    Path(order.part).write_bytes(b"half")
    return []


class FakeExecutor:
    """Works on one order at a time; `answers` are used in turn, and after them `good`."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = deque(answers)
        self.orders: list[WorkOrder] = []
        self._busy_with: WorkOrder | None = None
        self.is_cancelled = False
        self.has_device = True
        self._untold: list[ExecutorEvent] = []

    def has_room(self) -> bool:
        """Tell whether there is a device, and no order in hand."""
        return self.has_device and self._busy_with is None

    def is_lost(self) -> bool:
        """Tell whether the test has taken the device away."""
        return not self.has_device

    def workers(self) -> list[WorkerStatus]:
        """Return the status of one worker, which is well while there is a device."""
        is_well = self.has_device
        return [WorkerStatus(device="fake:0", is_ready=True, is_well=is_well, silent_for_s=0.0)]

    def submit(self, order: WorkOrder) -> Place:
        """Answer the order at the next poll."""
        assert self._busy_with is None
        self._busy_with = order
        self.orders.append(order)
        return Place("fake:0")

    def tell(self, event: ExecutorEvent) -> None:
        """Have the next poll return an event that answers no order."""
        self._untold.append(event)

    def poll(self) -> list[ExecutorEvent]:
        """Return the answer."""
        order = self._busy_with
        if order is None:
            untold, self._untold = self._untold, []
            return untold
        events = (self.answers.popleft() if self.answers else good)(order)
        if events:
            self._busy_with = None
        else:
            self.answers.appendleft(silent)
        return events

    def connections(self) -> list[Any]:
        """Return nothing to wait on."""
        return []

    def unsent(self) -> list[Any]:
        """Return nothing to wait on."""
        return []

    def cancel(self, job_id: str) -> None:
        """Answer at the next poll that the order in hand has stopped, if it is of that job."""
        if self._busy_with is not None and self._busy_with.job_id == job_id:
            self.answers.clear()
            self.answers.append(lambda _: [WorkCancelled(job_id=job_id)])

    def cancel_all(
        self,
        *,
        is_urgent: Callable[[], bool],  # noqa: ARG002 (the protocol)
        on_rung: OnRung = lambda *_: None,  # noqa: ARG002
    ) -> None:
        """Forget what is in hand."""
        self._busy_with = None
        self.is_cancelled = True
