"""Frames: the pictures or pages of one file, enlarged one after the other as one job."""

from collections.abc import Callable
from dataclasses import replace

from zssr_daemon.protocol.attempt_files import frame_part
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkProgress, WorkReport
from zssr_daemon.worker.enlarger import Enlarger, OnProgress
from zssr_daemon.worker.report_draft import ReportDraft
from zssr_daemon.worker.source_file import SourceFile, as_private_as_source
from zssr_daemon.worker.torch_errors import faults_as_reasons


def enlarge_file(enlarger: Enlarger, order: WorkOrder, on_progress: OnProgress) -> WorkDone:
    """Enlarge every frame of `order.src_rel`: the last into `order.part`, the others beside it.

    Every part is read back and verified. The first fault of a frame is that of the whole file.
    `on_progress` is called from within the work; what it raises ends the call and passes on.
    A report, if one is ordered, shows the last frame; no fault of it reaches the caller.

    Raises:
        JobError: the file, or the attempt, is at fault.
        OSError: a disk is.
    """
    draft = ReportDraft(order)
    source = SourceFile(order)
    with faults_as_reasons(), as_private_as_source(order):
        count = source.count_frames()
        done = []
        for frame in range(count):
            part = order.part if frame == count - 1 else frame_part(order.part, frame)
            of_frame = replace(order, frame=frame, part=part)
            tell = _share_of(_both(draft.add_progress, on_progress), frame, count)
            done.append(enlarger.enlarge_frame(of_frame, source, tell, draft))
    whole = replace(done[-1], frames=count, report=_sum([each.report for each in done]))
    with as_private_as_source(order):
        draft.write(whole)
    return whole


def _both(first: OnProgress, second: OnProgress) -> OnProgress:
    def tell(progress: WorkProgress) -> None:
        first(progress)
        second(progress)

    return tell


def _share_of(on_progress: OnProgress, frame: int, count: int) -> Callable[[WorkProgress], None]:
    """Return a callback for one frame that tells `on_progress` the fraction of all frames."""

    def tell(progress: WorkProgress) -> None:
        on_progress(replace(progress, fraction=(frame + progress.fraction) / count))

    return tell


def _sum(reports: list[WorkReport]) -> WorkReport:
    """Describe all frames by the report of the last one, with times and counts added up."""
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
