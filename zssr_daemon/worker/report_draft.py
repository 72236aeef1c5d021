"""ReportDraft: what the report of a job will show, collected while the job runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.imaging import comparison
from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.imaging.samples.sample_range import SampleRange
from zssr_daemon.protocol.messages import WorkDone, WorkOrder, WorkProgress
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.worker.kernel_files import kernel_picture
from zssr_daemon.worker.loss_curve import LossCurve
from zssr_daemon.worker.report import report_html
from zssr_daemon.zssr.degradation.blur import Kernel


class ReportDraft:
    """Keeps small copies of what a report shows, and writes them at the end.

    Nothing is kept where no report was ordered. No fault of a report may cost an output: no method
    raises an Exception. The first one is logged as `report_unavailable`, and the draft is dropped.
    """

    def __init__(self, order: WorkOrder) -> None:
        self._order = order
        self._path = None if order.report_path is None else Path(order.report_path)
        self._losses = LossCurve()
        self._before: Image.Image | None = None
        self._comparison: comparison.Comparison | None = None
        self._kernel: Image.Image | None = None

    def add_progress(self, progress: WorkProgress) -> None:
        """Note the loss, if this is a sign of life from a fit."""
        if self._path is not None:
            with self._harmless():
                self._losses.add(progress)

    def add_source(self, source: DecodedImage, width: int, height: int) -> None:
        """Copy what is shown of a source whose output will have `width` × `height` pixels."""
        if self._path is not None:
            with self._harmless():
                config = self._order.config.for_size(source.info.width, source.info.height)
                self._order = replace(self._order, config=config)
                self._before = comparison.before(source, width, height)

    def add_output(
        self,
        samples: NDArray[Any],
        icc: bytes | None,
        kernel: Kernel | None,
        sample_range: SampleRange | None = None,
    ) -> None:
        """Copy what is shown of the (H, W, C) samples that were written.

        icc: their profile. kernel: the one that was estimated, if any. sample_range: what is shown
        as black and white. Samples that are neither colour nor alpha are not shown.
        """
        if self._path is not None:
            with self._harmless():
                assert self._before is not None
                shown = samples[:, :, : len(self._before.getbands())]
                after = comparison.after(shown, icc, sample_range)
                height, width, _ = samples.shape
                self._comparison = comparison.Comparison(self._before, after, width, height)
                self._kernel = None if kernel is None else kernel_picture(kernel)

    def write(self, done: WorkDone) -> None:
        """Write the report of a job whose parts are all written."""
        if self._path is not None:
            with self._harmless():
                assert self._comparison is not None
                text = report_html(
                    self._order,
                    done.report,
                    self._losses.points,
                    comparison=self._comparison,
                    kernel=self._kernel,
                )
                self._path.write_text(text, encoding="utf-8")

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 (the boundary: the output is worth more)
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Tell that there will be no report, and leave nothing of it."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
        self._path = self._before = self._comparison = self._kernel = None
        log = logs.get_logger(
            job_id=self._order.job_id,
            image=printable(self._order.src_rel),
            attempt=self._order.attempt,
        )
        log.warning(Events.REPORT_UNAVAILABLE, message=str(error) or repr(error))
