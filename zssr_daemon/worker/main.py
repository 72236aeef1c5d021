"""Worker: the child process that computes, one job at a time.

Its progress comes from within the fit and the tiles, never from a side thread, so that it proves
that the work goes on, and not only that the process lives. It ends when its link does.
"""

import faulthandler
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from zssr_daemon.errors import DeviceError, JobError, Reason
from zssr_daemon.protocol.messages import (
    CANCEL,
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkerLoaded,
    WorkFailed,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.telemetry import logs

#: The supervisor hears at most this often; every step would only fill the pipe.
_PROGRESS_INTERVAL_S = 0.2

#: What a module raises that was replaced, or is incomplete, when the work loads it late.
_REPLACED = (ImportError, SyntaxError)

#: `enlarge_file` with its device.
Enlarge = Callable[[WorkOrder, Callable[[WorkProgress], None]], WorkDone]


class Link(Protocol):
    """A worker's way to the one who gives it orders: a pipe, or what does the same elsewhere.

    At its end these raise EOFError, BrokenPipeError or ConnectionResetError.
    """

    def poll(self) -> bool:
        """Tell, without waiting, whether `recv` would return at once."""

    def recv(self) -> Any:
        """Wait for the next message, a WorkOrder or CANCEL, and return it."""

    def send(self, message: Any, /) -> None:
        """Send a WorkMessage or WorkerLoaded."""


class _Cancelled(Exception):  # noqa: N818 (no error: it was ordered)
    pass


def worker_main(
    link: Link, device: str, threads: int, log: logs.LogSettings, memory_share: float = 1.0
) -> None:
    """Be a worker process on this machine: serve work orders on `device` until the link ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the supervisor's
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.enable()
    logs.configure(log)
    _offer_to_oom_killer()
    serve(link, device, threads, memory_share)


def serve(link: Link, device: str, threads: int, memory_share: float = 1.0) -> None:
    """Serve work orders on `device` until the link ends, or the device's context is lost.

    This is all that a worker does, wherever it runs.
    memory_share: what the process may take of a card's memory, above 0 to 1.
    """
    try:
        enlarge = _begin(link, device, threads, memory_share)
        while enlarge is not None:
            order = link.recv()
            if not isinstance(order, WorkOrder):
                continue  # a late "cancel" finds nothing to cancel
            answer = _answer(order, link, enlarge)
            link.send(answer)
            if isinstance(answer, WorkFailed) and answer.ends_worker:
                return
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _begin(link: Link, device: str, threads: int, memory_share: float) -> Enlarge | None:
    """Take the device and test it; return None if it cannot be used."""
    # Only here, so that importing this module leaves the supervisor free of torch.
    from zssr_daemon.worker.enlarger import Enlarger  # noqa: PLC0415
    from zssr_daemon.worker.frames import enlarge_file  # noqa: PLC0415

    link.send(WorkerLoaded())
    try:
        enlarger = Enlarger(device, threads, memory_share)
        link.send(enlarger.self_test())
    # torch asserts what it was built for
    except (RuntimeError, ValueError, AssertionError, MemoryError) as error:
        link.send(WorkerBroken(message=str(error)))
        return None
    return partial(enlarge_file, enlarger)


def _answer(order: WorkOrder, link: Link, enlarge: Enlarge) -> object:
    try:
        return enlarge(order, _progress_sender(link))
    except _Cancelled:
        return WorkCancelled(job_id=order.job_id)
    except JobError as error:
        failed = WorkFailed.of(order.job_id, error)
        return replace(failed, ends_worker=error.reason == DeviceError.reason)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except OSError as error:
        return WorkFailed.of(order.job_id, error)
    except Exception as error:  # noqa: BLE001 (the job boundary: one bad image, not one dead worker)
        return WorkFailed(
            job_id=order.job_id,
            reason=Reason.INTERNAL_ERROR,
            message=repr(error),
            is_retryable=True,
            ends_worker=isinstance(error, _REPLACED),
        )


def _progress_sender(link: Link) -> Callable[[WorkProgress], None]:
    """Return what sends progress now and then, and hears a cancel at every step."""
    last_s = 0.0
    last_stage = ""

    def send(progress: WorkProgress) -> None:
        nonlocal last_s, last_stage
        if link.poll() and link.recv() == CANCEL:
            raise _Cancelled
        now_s = time.monotonic()
        if progress.stage != last_stage or now_s - last_s >= _PROGRESS_INTERVAL_S:
            last_s, last_stage = now_s, progress.stage
            link.send(progress)

    return send


def _offer_to_oom_killer() -> None:
    """Make the kernel take this process, not the supervisor, when memory runs out."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    except OSError:  # no /proc, or not allowed: the default holds
        return
    with os.fdopen(fd, "w") as file:
        file.write("500")
