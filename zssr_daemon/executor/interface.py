"""Executor: what the supervisor asks of anything that computes its jobs.

An executor may lose or repeat work: it works at least once, and the ledger and the publish
protocol make that exactly once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol

from zssr_daemon.errors import Reason
from zssr_daemon.protocol.messages import WorkerLoaded, WorkMessage, WorkOrder
from zssr_daemon.telemetry.status import WorkerStatus


class WorkerEnd(StrEnum):
    """Why a worker process ended."""

    CANCELLED = "cancelled"  # its job was cancelled, and it did not stop when it was asked to
    CLUSTER_LOST = "cluster_lost"  # the gateway is gone, and every node with it
    CRASH = "crash"
    DEVICE_LOST = "device_lost"
    NODE_LOST = "node_lost"  # its machine is gone or out of reach
    NODE_REFUSED = "node_refused"  # its machine may not work with us, as with other code
    NO_START = "no_start"  # before it had loaded its modules: no image and no device is at fault
    OOM = "oom"  # killed by the kernel: the machine ran out of memory
    RECYCLE = "recycle"  # replaced between two jobs, to free the memory it holds
    SILENT = "silent"  # no sign of life for too long
    TIMEOUT = "timeout"  # too long at one job

    @property
    def blame(self) -> Reason:
        """Why the attempt failed that the worker was working on."""
        return Reason(f"worker_{self}")


@dataclass(frozen=True, slots=True)
class WorkerEnded:
    """A worker process has ended; while its place is there, another one follows sooner or later."""

    reason: WorkerEnd
    job_id: str | None  # the job that it had begun and not finished, whose attempt failed
    message: str
    node: str = ""  # where it ran; "" is this machine


ExecutorEvent = WorkMessage | WorkerEnded


@dataclass(frozen=True, slots=True)
class Place:
    """Where an attempt runs."""

    device: str
    node: str = ""  # "" is this machine


#: Where an attempt runs that no worker has taken yet.
NOWHERE = Place("")


class Child(Protocol):
    """A worker process, wherever it runs, as the one who gives it orders sees it."""

    @property
    def connection(self) -> Any:
        """What to wait on for its next message; several children may share it."""

    @property
    def is_alive(self) -> bool:
        """Whether the process is still there, as far as anybody has heard."""

    @property
    def resident_bytes(self) -> int:
        """How much memory it holds now; 0 where nobody knows."""

    def send(self, message: WorkOrder | Literal["cancel"]) -> object:
        """Send a message, without waiting; one that is gone gets none."""

    def received(self) -> list[WorkMessage | WorkerLoaded]:
        """Return, without waiting, the messages that have come; a dead child's last ones too."""

    def how_it_died(self, *, is_loaded: bool) -> tuple[WorkerEnd, str]:
        """Return reason and message for a process that ended by itself.

        `is_loaded`: whether it had said anything.
        """

    def terminate(self) -> None:
        """Ask for its end."""

    def kill(self) -> None:
        """End it at once, and free what it held."""


class StopRung(StrEnum):
    """The rungs of the stop ladder: how workers are ended, the gentlest way first."""

    CANCEL = "cancel"  # by a message, which the worker hears at its next step
    SIGTERM = "sigterm"
    SIGKILL = "sigkill"


#: Is called at each rung that is used, with the number of workers it is used on.
OnRung = Callable[[StopRung, int], None]


def ignore_rung(rung: StopRung, workers: int) -> None:
    """Do nothing: an `OnRung` for callers that need none."""


class Executor(Protocol):
    """Runs attempts, each on some device."""

    def has_room(self) -> bool:
        """Tell whether `submit` would start at once."""

    def is_lost(self) -> bool:
        """Tell whether no device can be used; the executor goes on trying.

        This begins when the worker of the last usable device fails to start, and ends when some
        worker is ready. While a worker that ended is being replaced, its device is not lost.
        """

    def workers(self) -> Sequence[WorkerStatus]:
        """Return the status of each worker."""

    def submit(self, order: WorkOrder) -> Place | None:
        """Start an attempt; return where it runs, or None if there is no room after all."""

    def poll(self) -> list[ExecutorEvent]:
        """Return what has happened since the last call, without waiting."""

    def connections(self) -> Sequence[Any]:
        """Return what to wait on for the next event, until it can be read."""

    def unsent(self) -> Sequence[Any]:
        """Return what to wait on until it can be written to."""

    def cancel(self, job_id: str) -> None:
        """Stop the attempt of a job, by the rungs of the stop ladder; `poll` tells its end.

        Other attempts go on. Nothing happens if no attempt of the job is in work.
        """

    def cancel_all(self, *, is_urgent: Callable[[], bool], on_rung: OnRung = ignore_rung) -> None:
        """End every attempt and every process.

        Args:
            is_urgent: is asked again and again; once it is true, processes are killed at once.
            on_rung: is called at each rung of the stop ladder.
        """
