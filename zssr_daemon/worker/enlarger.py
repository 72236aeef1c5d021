"""Enlarger: one frame through decoding, fit, inference and encoding, on one device."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zssr_daemon.imaging.decode import DecodedImage
from zssr_daemon.protocol.messages import (
    Stage,
    WorkDone,
    WorkerReady,
    WorkOrder,
    WorkProgress,
    WorkReport,
)
from zssr_daemon.worker.kernel_files import write_kernel
from zssr_daemon.worker.report_draft import ReportDraft
from zssr_daemon.worker.source_degradation import SourceDegradation
from zssr_daemon.worker.source_file import SourceFile
from zssr_daemon.worker.start_store import WeightsStore, start_told
from zssr_daemon.worker.write_output import (
    WrittenPart,
    output_samples,
    parameters_text,
    put_alpha,
    put_colour,
    write_part,
)
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.inference.strips import enlarge_plainly
from zssr_daemon.zssr.pipeline import Step, SuperResolved, super_resolve
from zssr_daemon.zssr.training.weights import Weights, compatibility_key

# Where the fit begins and encoding begins, as fractions of the whole job. Fit and inference take
# nearly all the time; the algorithm itself says how they share it.
_FIT_FROM = 0.01
_ENCODE_FROM = 0.98

# Encoding, reading back, and each calculation on the whole image are single calls of libraries
# that report nothing. The slowest, encoding, was measured at 0.2 µs an output pixel on one core.
_PATIENCE_S_PER_PIXEL = 2e-6

OnProgress = Callable[[WorkProgress], None]


class Enlarger:
    """Holds a device, and enlarges one frame after another on it."""

    def __init__(self, device: str, threads: int) -> None:
        """Bind this process to `device` ("cpu", "cuda:0", "auto:0") and to `threads` CPU threads.

        Raises:
            RuntimeError: the device is not there.
        """
        torch.set_num_threads(threads)
        self._device = _resolve(device)

    def self_test(self) -> WorkerReady:
        """Enlarge a tiny picture; what fails here would fail with every job."""
        picture = torch.linspace(0, 1, 12 * 12).reshape(1, 12, 12)
        config = ZSSRConfig(
            start="none", num_epochs=2, rounds=1, crop_size=8, model_width=4, model_depth=2
        )
        super_resolve(picture, config, device=self._device)
        # A plain str: unpickling a TorchVersion would load torch into the supervisor.
        return WorkerReady(device=str(self._device), torch_version=str(torch.__version__))

    def enlarge_frame(
        self, order: WorkOrder, file: SourceFile, on_progress: OnProgress, draft: ReportDraft
    ) -> WorkDone:
        """Enlarge `order.frame` of a file into `order.part`, and read the result back.

        `draft` is shown source and output. `on_progress` is called from within the work; what it
        raises ends the call and passes on. Raises JobError, OSError, and what torch raises.
        """
        progress = _FrameProgress(order, on_progress)
        with progress.stage("decode"):
            source, picture = _decode(order, file, draft)
            degradation = SourceDegradation.of(order, picture, file.jpeg_tables)
        samples = output_samples(order, source)
        progress.patience_s = samples.shape[0] * samples.shape[1] * _PATIENCE_S_PER_PIXEL
        store, initial = _start(order, source, degradation)
        result = super_resolve(
            picture,
            order.config,
            device=self._device,
            on_step=progress.on_step,
            initial_weights=initial,
            put=partial(put_colour, samples),
            degradation=degradation.degradation,
        )
        del picture  # encoding needs the memory
        comments = parameters_text(order.config, result, degradation)
        with progress.stage("encode"):
            if source.alpha is not None:
                _enlarge_alpha(source.alpha, order.config, degradation, samples)
                progress.alive()
            written = write_part(order, source, samples, comments, progress.alive)
            if degradation.estimated is not None:
                write_kernel(Path(order.part), degradation.estimated)
        draft.add_output(samples, source.metadata.icc, degradation.estimated)
        if store is not None and result.weights is not None:
            store.keep(result.weights)
        seconds = progress.seconds | result.seconds
        report = _work_report(samples, result, degradation, written, seconds=seconds)
        suffix = order.output.format_for(source.info.format).suffix
        return WorkDone(
            job_id=order.job_id, out_sha256=written.sha256, suffix=suffix, report=report
        )


class _FrameProgress:
    """Tells how far a frame is, and measures the seconds of its stages."""

    def __init__(self, order: WorkOrder, on_progress: OnProgress) -> None:
        self._job_id = order.job_id
        self._on_progress = on_progress
        self.seconds: dict[str, float] = {}
        self.patience_s = 0.0  # that a calculation on the whole image may take

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Time a stage that has no steps of its own."""
        if name == "decode":
            self._tell(name, 0.0)
        else:
            self.alive()
        started_s = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started_s

    def alive(self) -> None:
        """Tell that encoding goes on."""
        self._tell("encode", _ENCODE_FROM)

    def on_step(self, step: Step) -> None:
        """Pass a sign of life of the algorithm on."""
        fraction = _FIT_FROM + (_ENCODE_FROM - _FIT_FROM) * step.fraction
        self._tell(
            step.stage, fraction, step=step.step, steps=step.steps, loss=step.loss, lr=step.lr
        )

    def _tell(
        self,
        stage: Stage,
        fraction: float,
        *,
        step: int = 0,
        steps: int = 1,
        loss: float | None = None,
        lr: float | None = None,
    ) -> None:
        self._on_progress(
            WorkProgress(
                job_id=self._job_id,
                stage=stage,
                step=step,
                steps=steps,
                fraction=fraction,
                loss=loss,
                lr=lr,
                patience_s=0.0 if stage == "fit" else self.patience_s,
            )
        )


def _resolve(device: str) -> torch.device:
    if not device.startswith("auto:"):
        return torch.device(device)
    index = int(device.removeprefix("auto:"))
    if torch.cuda.is_available() and index < torch.cuda.device_count():
        return torch.device("cuda", index)
    return torch.device("cpu")


def _decode(order: WorkOrder, file: SourceFile, draft: ReportDraft) -> tuple[DecodedImage, Tensor]:
    """Return a frame without its colours, and these as (C, H, W) float32, CPU, [0, 1].

    Raises ImageError where its output would be too large, or could not hold its alpha.
    """
    source = file.decode(order.frame)
    size = order.config.output_size(source.info.width, source.info.height)
    fault = order.output.fault(source.info, *size)
    if fault is not None:
        raise fault
    draft.add_source(source, *size)
    picture = torch.from_numpy(source.pixels).permute(2, 0, 1).contiguous()
    # Without the colours, or the memory would hold them twice as long as the fit runs.
    return replace(source, pixels=np.empty((0, 0, 0), np.float32)), picture


def _start(
    order: WorkOrder, source: DecodedImage, degradation: SourceDegradation
) -> tuple[WeightsStore | None, Weights | None]:
    """Return where the weights of the source's folder are kept, and the newest that fit.

    Without them the fit begins with the drawn start.
    """
    if order.weights_folder is None:
        return None, None
    store = WeightsStore(Path(order.weights_folder))
    key = compatibility_key(order.config, source.info.channels, degradation.degradation)
    return store, store.newest(key)


def _enlarge_alpha(
    alpha: NDArray[np.float32],
    config: ZSSRConfig,
    degradation: SourceDegradation,
    samples: NDArray[np.unsignedinteger],
) -> None:
    """Put (H, W) alpha, enlarged without a network, into the last channel of `samples`."""
    plane = torch.from_numpy(alpha)[None, None]  # (1, 1, H, W)
    enlarge_plainly(plane, config, partial(put_alpha, samples), degradation.degradation.blur)


def _work_report(
    samples: NDArray[np.unsignedinteger],
    result: SuperResolved,
    degradation: SourceDegradation,
    written: WrittenPart,
    *,
    seconds: dict[str, float],
) -> WorkReport:
    height, width, _ = samples.shape
    return WorkReport(
        out_width=width,
        out_height=height,
        seconds=seconds,
        iterations=result.iterations,
        restarts=result.restarts,
        is_fallback=result.is_fallback,
        **start_told(result),
        psnr_network_db=result.psnr_network_db,
        psnr_bicubic_db=result.psnr_bicubic_db,
        patch_size=result.patch_size,
        batch_size=result.batch_size,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        gpu_memory_peak_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
        kernel=degradation.kernel,
        kernel_sha256=degradation.degradation.blur.sha256,
        kernel_why=degradation.why,
        found=degradation.found,
        noise_std=degradation.degradation.noise_std,
        jpeg_quality=degradation.degradation.jpeg_quality,
        note=written.note,
    )
