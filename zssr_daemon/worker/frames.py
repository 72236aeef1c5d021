"""Frames: each page or picture of one file enlarged, one after the other, as one job."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from zssr_daemon.imaging import decode
from zssr_daemon.protocol.attempt_files import frame_part
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkProgress, WorkReport
from zssr_daemon.system.safe_open import open_source

Report = Callable[[WorkProgress], None]


class EnlargesOne(Protocol):
    """What enlarges the frame that an order names."""

    def enlarge_order(self, order: WorkOrder, report: Report) -> WorkDone:
        """Enlarge `order.frame` into `order.part`."""


def enlarge_frames(enlarger: EnlargesOne, order: WorkOrder, report: Report) -> WorkDone:
    """Enlarge every frame of `order.src_rel`: the last into `order.part`, the others beside it.

    Nothing counts as done before all are; the first fault is the whole file's. Raises as
    `Enlarger.enlarge_order`.
    """
    count = _count(order)
    done: list[WorkDone] = []
    for frame in range(count):
        part = order.part if frame == count - 1 else frame_part(order.part, frame)
        report_part = _share_of(report, frame, count)
        done.append(enlarger.enlarge_order(replace(order, frame=frame, part=part), report_part))
    return replace(done[-1], frames=count, report=_sum([each.report for each in done]))


def _count(order: WorkOrder) -> int:
    fd = open_source(order.inbox, order.src_rel)
    try:
        return decode.count_frames(fd, order.limits)
    finally:
        os.close(fd)


def _share_of(report: Report, frame: int, count: int) -> Report:
    """Return a report under which a frame is a part of the whole."""

    def report_share(progress: WorkProgress) -> None:
        report(replace(progress, fraction=(frame + progress.fraction) / count))

    return report_share


def _sum(reports: list[WorkReport]) -> WorkReport:
    """Describe all by the last one, with what adds up added up."""
    if len(reports) == 1:
        return reports[0]
    last = reports[-1]
    notes = dict.fromkeys(note for each in reports if (note := each.note) is not None)
    return replace(
        last,
        seconds={stage: sum(each.seconds[stage] for each in reports) for stage in last.seconds},
        iterations=sum(each.iterations for each in reports),
        restarts=sum(each.restarts for each in reports),
        is_fallback=all(each.is_fallback for each in reports),
        note="; ".join([f"{len(reports)} frames, each by itself", *notes]),
    )
