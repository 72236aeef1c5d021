"""WorkerSlot: one place for a worker process; processes come and go, the place stays."""

import signal
import time

from zssr_daemon.errors import DeviceError
from zssr_daemon.executor.interface import WorkerEnd
from zssr_daemon.executor.placement import Placement
from zssr_daemon.protocol.messages import (
    CANCEL,
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerLoaded,
    WorkerReady,
    WorkFailed,
    WorkMessage,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.system.cgroup import oom_kills
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.system.start_retry import StartRetry, no_start
from zssr_daemon.telemetry.logs import LogSettings
from zssr_daemon.telemetry.status import WorkerStatus
from zssr_daemon.worker.main import worker_main


class WorkerSlot:
    """The process, the order it has in hand, and what is known of its health."""

    def __init__(self, placement: Placement, log: LogSettings) -> None:
        self._placement = placement
        self._log = log
        self.device = placement.device
        self.is_doubtful = False  # the last process hung, and the present one is not ready yet
        self.is_lost = False  # the last start failed, and no process has become ready since
        self._retry = StartRetry()
        self._spawn()

    def _spawn(self) -> None:
        self.child: ChildProcess | None = None
        self.order: WorkOrder | None = None
        self.fault: str | None = None  # why the device cannot be used, or no process can start
        self.has_begun = False  # whether the worker has said that it works on the order
        self._cancelled_s: float | None = None  # when it was asked to stop the order in hand
        self.jobs = 0  # jobs that this process has finished
        self.resident_bytes = 0  # its memory after the last of them
        self._is_ready = False
        self._is_loaded = False  # whether the process has said anything
        self._oom_kills = oom_kills()
        self._expect_sign()
        place = self._placement
        arguments = (place.device, place.threads, self._log, place.memory_share)
        try:
            self.child = ChildProcess("zssr-worker", worker_main, *arguments)
        except OSError as error:
            self.is_lost = True
            self.fault = no_start("worker", str(error))

    def spawn_when_due(self) -> None:
        """Start a process again, once the wait after a failed start is over."""
        if self._retry.is_due():
            self._spawn()

    def status(self, silent_after_s: float) -> WorkerStatus:
        """Return the worker's status; the successor of one that hung is not well until ready."""
        is_heard = self.overdue_s <= silent_after_s and not self.is_doubtful
        return WorkerStatus(
            device=self.device,
            is_ready=self._is_ready,
            is_well=self.child is not None and is_heard,
            silent_for_s=round(max(0.0, self.overdue_s), 1),
        )

    @property
    def is_free(self) -> bool:
        """Whether the worker can begin at once; a dead one must not cost a job an attempt."""
        return self.is_idle and self.child is not None and self.child.is_alive

    @property
    def is_idle(self) -> bool:
        """Whether the worker has passed its self-test and has no order in hand."""
        return self._is_ready and self.order is None

    @property
    def overdue_s(self) -> float:
        """Seconds since the last sign of life, less the patience it asked for; 0 when idle."""
        return 0.0 if self.is_idle else time.monotonic() - self._heard_s - self._patience_s

    @property
    def busy_for_s(self) -> float:
        """Seconds since the order in hand was given; 0 without one."""
        return 0.0 if self.order is None else time.monotonic() - self._started_s

    def start(self, order: WorkOrder) -> None:
        """Give the worker an order."""
        self.order = order
        self.has_begun = False
        self._cancelled_s = None
        self._oom_kills = oom_kills()
        self._expect_sign()
        self.send(order)

    def cancel(self) -> None:
        """Ask the worker, once, to stop the order in hand."""
        if self._cancelled_s is None:
            self._cancelled_s = time.monotonic()
            self.send(CANCEL)

    @property
    def is_cancelled(self) -> bool:
        """Whether the worker was asked to stop the order in hand, and has not done so yet."""
        return self._cancelled_s is not None

    @property
    def cancelled_for_s(self) -> float:
        """Seconds since the worker was asked to stop the order in hand; 0 if it was not."""
        return 0.0 if self._cancelled_s is None else time.monotonic() - self._cancelled_s

    def send(self, message: object) -> None:
        """Send a message; if the worker has just died, the next poll notices it."""
        if self.child is not None:
            self.child.send(message)

    def receive(self) -> list[WorkMessage]:
        """Return the worker's messages since the last call, and note what they say."""
        messages: list[WorkMessage | WorkerLoaded] = self.child.received() if self.child else []
        for message in messages:
            self._note(message)
        return [message for message in messages if not isinstance(message, WorkerLoaded)]

    def how_it_failed(self) -> tuple[WorkerEnd, str]:
        """Return reason and message for a process with a fault."""
        assert self.fault is not None
        return WorkerEnd.DEVICE_LOST if self._is_loaded else WorkerEnd.NO_START, self.fault

    def how_it_died(self) -> tuple[WorkerEnd, str]:
        """Return reason and message for a process that ended by itself."""
        code = self.child.exit_code if self.child else None
        if code == -signal.SIGKILL and oom_kills() > self._oom_kills:
            return WorkerEnd.OOM, "killed by the kernel: the machine's memory ran out"
        if not self._is_loaded:
            return WorkerEnd.NO_START, no_start("worker", f"exit code {code}")
        return WorkerEnd.CRASH, f"exit code {code}"

    def replace(self) -> None:
        """Kill the process and start another, at once or after a pause.

        At once if the process had been ready, or if this was its first failed start without a
        fault of the device. Otherwise the device is lost until a later start goes well.
        """
        is_device_well = self._is_ready or (self.fault is None and self._retry.failures == 0)
        if not self._is_ready:
            self._retry.failed()
        self.end()
        self.order = self.fault = self._cancelled_s = None
        if is_device_well:
            self._spawn()
        else:
            self.is_lost = True

    def end(self) -> None:
        """Kill the process, and leave the place empty."""
        if self.child is not None:
            self.child.kill()
            self.child = None

    def _note(self, message: WorkMessage | WorkerLoaded) -> None:
        self._heard_s = time.monotonic()
        self._is_loaded = True
        match message:
            case WorkerReady():
                self._is_ready = True
                self.is_lost = self.is_doubtful = False
                self._retry.succeeded()
                self.device = message.device
            case WorkProgress():
                self.has_begun = True
                self._patience_s = message.patience_s
            case WorkerBroken():
                self.fault = message.message
            case WorkDone() | WorkFailed() | WorkCancelled():
                self._note_end(message)

    def _note_end(self, message: WorkDone | WorkFailed | WorkCancelled) -> None:
        assert self.child is not None
        self.order = self._cancelled_s = None
        self.jobs += 1
        self.resident_bytes = self.child.resident_bytes
        if isinstance(message, WorkFailed) and message.reason == DeviceError.reason:
            self.fault = message.message

    def _expect_sign(self) -> None:
        self._started_s = self._heard_s = time.monotonic()
        self._patience_s = 0.0
