"""Worker: the child process that computes, one job at a time.

Its progress comes from within the fit and the tiles, never from a side thread, so that it proves
progress and not merely breath. It ends when its pipe does.
"""

import faulthandler
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zssr_daemon.errors import DeviceError, JobError, Reason
from zssr_daemon.protocol.messages import (
    CANCEL,
    WorkCancelled,
    WorkDone,
    WorkerBroken,
    WorkFailed,
    WorkOrder,
    WorkProgress,
)
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.worker.loss_curve import LossCurve

if TYPE_CHECKING:
    from zssr_daemon.worker.enlarger import Enlarger

#: The supervisor hears at most this often; every step would only fill the pipe.
_REPORT_INTERVAL_S = 0.2


class _Cancelled(Exception):  # noqa: N818 (no error: it was ordered)
    pass


def worker_main(
    connection: "Connection[Any, Any]", device: str, threads: int, log: logs.LogSettings
) -> None:
    """Serve work orders on `device` until the pipe ends, or the device's context is lost."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the supervisor's
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    faulthandler.enable()
    logs.configure(log)
    _offer_to_oom_killer()
    try:
        enlarger = _begin(connection, device, threads)
        while enlarger is not None:
            order = connection.recv()
            if not isinstance(order, WorkOrder):
                continue  # a late "cancel" finds nothing to cancel
            answer = _serve(order, connection, enlarger)
            connection.send(answer)
            if isinstance(answer, WorkFailed) and answer.reason == DeviceError.reason:
                return
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _begin(connection: "Connection[Any, Any]", device: str, threads: int) -> "Enlarger | None":
    """Take the device and test it; None when it cannot be used."""
    # Only here, so that importing this module leaves the supervisor free of torch.
    from zssr_daemon.worker.enlarger import Enlarger  # noqa: PLC0415

    try:
        enlarger = Enlarger(device, threads)
        connection.send(enlarger.self_test())
    # torch asserts what it was built for
    except (RuntimeError, ValueError, AssertionError, MemoryError) as error:
        connection.send(WorkerBroken(message=str(error)))
        return None
    return enlarger


def _serve(order: WorkOrder, connection: "Connection[Any, Any]", enlarger: "Enlarger") -> object:
    losses = LossCurve()
    try:
        done = enlarger.enlarge_file(order, _reporter(connection, losses))
        _write_report(order, done, losses)
        return done
    except _Cancelled:
        return WorkCancelled(job_id=order.job_id)
    except JobError as error:
        return _failed(order, error.reason, str(error), is_retryable=error.is_retryable)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except OSError as error:
        failed = _failed(order, Reason.IO_ERROR, str(error), is_retryable=True)
        return replace(failed, oserror_errno=error.errno)
    except Exception as error:  # noqa: BLE001 (the job boundary: one bad image, not one dead worker)
        return _failed(order, Reason.INTERNAL_ERROR, repr(error), is_retryable=True)


def _write_report(order: WorkOrder, done: WorkDone, losses: LossCurve) -> None:
    """Write the report that was asked for; its fault costs nobody the output."""
    if order.report_path is None:
        return
    from zssr_daemon.worker.report import FAULTS, write_report  # noqa: PLC0415 (loads a decoder)

    try:
        write_report(order, done, losses.points)
    except FAULTS as error:
        Path(order.report_path).unlink(missing_ok=True)
        image = printable(order.src_rel)
        log = logs.get_logger(job_id=order.job_id, image=image, attempt=order.attempt)
        log.warning(Events.REPORT_UNAVAILABLE, message=str(error))


def _failed(order: WorkOrder, reason: Reason, message: str, *, is_retryable: bool) -> WorkFailed:
    return WorkFailed(
        job_id=order.job_id, reason=reason, message=message, is_retryable=is_retryable
    )


def _reporter(
    connection: "Connection[Any, Any]", losses: LossCurve
) -> Callable[[WorkProgress], None]:
    """Report progress now and then, and hear a cancel at every step."""
    last_s = 0.0
    last_stage = ""

    def report(progress: WorkProgress) -> None:
        nonlocal last_s, last_stage
        losses.add(progress)
        if connection.poll() and connection.recv() == CANCEL:
            raise _Cancelled
        now_s = time.monotonic()
        if progress.stage != last_stage or now_s - last_s >= _REPORT_INTERVAL_S:
            last_s, last_stage = now_s, progress.stage
            connection.send(progress)

    return report


def _offer_to_oom_killer() -> None:
    """Make the kernel take this process, not the supervisor, when memory runs out."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    except OSError:  # no /proc, or not allowed: the default holds
        return
    with os.fdopen(fd, "w") as file:
        file.write("500")
