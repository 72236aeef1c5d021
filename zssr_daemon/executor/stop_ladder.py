"""StopLadder: how the workers of one or several executors are ended together."""

import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from typing import Protocol

from zssr_daemon.executor.interface import Child, OnRung, StopRung
from zssr_daemon.executor.worker_slot import WorkerSlot
from zssr_daemon.protocol.messages import CANCEL

#: A worker that is asked to cancel gets this long to finish its step, then, after SIGTERM, the
#: second of these to end.
CANCEL_WAIT_S = 4.0
TERMINATE_WAIT_S = 1.0


class Climber(Protocol):
    """What the ladder asks of an executor."""

    def busy(self) -> Mapping[WorkerSlot, Child]:
        """Return the slots whose worker is alive and has work in hand."""

    def hear(self) -> None:
        """Note what the workers have said, and tell nobody."""

    def end(self) -> None:
        """End every process, and leave nothing open."""


def end_all(executors: Sequence[Climber], is_urgent: Callable[[], bool], on_rung: OnRung) -> None:
    """Use the rungs in turn, each for the workers of all executors; once it is urgent, the last.

    Args:
        executors: whose workers to end.
        is_urgent: is asked again and again.
        on_rung: is called at each rung that is used.
    """
    if busy := _busy(executors):
        on_rung(StopRung.CANCEL, len(busy))
        for slot in busy:
            slot.send(CANCEL)
        _wait_for_idle(executors, CANCEL_WAIT_S, is_urgent)
    if (busy := _busy(executors)) and not is_urgent():
        on_rung(StopRung.SIGTERM, len(busy))
        for child in busy.values():
            child.terminate()
        _wait_for_idle(executors, TERMINATE_WAIT_S, is_urgent)
    if busy := _busy(executors):
        on_rung(StopRung.SIGKILL, len(busy))
    for executor in executors:
        executor.end()


def _busy(executors: Sequence[Climber]) -> dict[WorkerSlot, Child]:
    return {slot: child for each in executors for slot, child in each.busy().items()}


def _wait_for_idle(
    executors: Sequence[Climber], timeout_s: float, is_urgent: Callable[[], bool]
) -> None:
    """Wait until no worker has work in hand, or it is urgent, or the time is up."""
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s and not is_urgent():
        for executor in executors:
            executor.hear()
        ends = {child.connection for child in _busy(executors).values()}
        if not ends:
            return
        wait(ends, timeout=0.1)
