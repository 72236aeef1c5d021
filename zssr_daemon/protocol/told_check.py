"""ToldCheck: what a worker on another machine may say, beyond the types of its messages.

The supervisor makes file names, labels of metrics and waits of what it is told.
"""

import math
import re
from typing import get_args

from zssr_daemon.imaging.output_format import SETTING_BY_SUFFIX
from zssr_daemon.protocol.messages import (
    Stage,
    WorkDone,
    WorkerLoaded,
    WorkMessage,
    WorkProgress,
    WorkReport,
)

_SHA256 = re.compile(r"[0-9a-f]{64}")

#: More pages than a file has; a name is made for each.
_MAX_FRAMES = 100_000

#: The longest time that a step of the work may ask for, in seconds.
_MAX_PATIENCE_S = 1e6


def fault_of(message: WorkMessage | WorkerLoaded) -> str | None:
    """Return why a message cannot be true; None where it may be."""
    match message:
        case WorkProgress(fraction=fraction, patience_s=patience_s):
            if not 0 <= fraction <= 1:
                return f"fraction = {fraction}"
            return None if 0 <= patience_s <= _MAX_PATIENCE_S else f"patience_s = {patience_s}"
        case WorkDone():
            return _fault_of_done(message)
    return None


def _fault_of_done(done: WorkDone) -> str | None:
    if not _SHA256.fullmatch(done.out_sha256):
        return f"out_sha256 = {done.out_sha256[:100]!r}"
    if done.suffix not in SETTING_BY_SUFFIX:
        return f"suffix = {done.suffix[:100]!r}"
    if not 1 <= done.frames <= _MAX_FRAMES:
        return f"frames = {done.frames}"
    return _fault_of_report(done.report)


def _fault_of_report(report: WorkReport) -> str | None:
    if not report.seconds.keys() <= set(get_args(Stage)):
        return f"seconds of {sorted(report.seconds)[:10]}"
    if not all(map(math.isfinite, report.seconds.values())):
        return "seconds that are no numbers"
    return None
