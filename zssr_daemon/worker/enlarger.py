"""Enlarger: one frame through decoding, fit, inference and encoding, on one device."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.imaging.samples.decoded import DecodedImage
from zssr_daemon.protocol.messages import (
    Stage,
    WorkDone,
    WorkerReady,
    WorkOrder,
    WorkProgress,
    WorkReport,
)
from zssr_daemon.worker.kernel_files import write_kernel
from zssr_daemon.worker.layers import Layer, alpha_layer, layers_of
from zssr_daemon.worker.report_draft import ReportDraft
from zssr_daemon.worker.source_degradation import SourceDegradation
from zssr_daemon.worker.source_file import SourceFile
from zssr_daemon.worker.start_store import WeightsStore, start_told
from zssr_daemon.worker.tiling import tiling_settled
from zssr_daemon.worker.write_output import (
    WrittenPart,
    output_samples,
    parameters_text,
    write_part,
)
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.device import limit_memory, peak_memory_bytes
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

    def __init__(self, device: str, threads: int, memory_share: float = 1.0) -> None:
        """Bind this process to `device` ("cpu", "cuda:0", "auto:0") and to `threads` CPU threads.

        memory_share: of the card, above 0 to 1. Raises RuntimeError: the device is not there.
        """
        torch.set_num_threads(threads)
        self._device = _resolve(device)
        limit_memory(self._device, memory_share)

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
            order, source = _decode(order, file, draft)
            samples = output_samples(order, source)
            layers = layers_of(source, samples)
            source = source.without_pixels()  # each layer drops its own when its fit begins
            picture = layers[0].taken_picture()
            order, picture = tiling_settled(order, picture, layers[0].visible(source.alpha))
            degradation = _degradation(order, file, picture, layers[0])
        progress.patience_s = samples.shape[0] * samples.shape[1] * _PATIENCE_S_PER_PIXEL
        progress.layers = len(layers)
        store, initial = _start(order, source, degradation)
        enlarge = partial(self._enlarge_layer, order, progress=progress)
        result = enlarge(layers[0], picture, degradation=degradation.degradation, initial=initial)
        del picture  # the others, and encoding, need the memory
        for layer in layers[1:]:
            picture, own = _taken(order, layer, degradation)
            enlarge(layer, picture, degradation=own)
        comments = parameters_text(order.config, result, degradation)
        with progress.stage("encode"):
            if source.alpha is not None:
                _enlarge_alpha(alpha_layer(source, samples), order.config, degradation)
                progress.alive()
            written = write_part(order, source, samples, comments, progress.alive)
            if degradation.estimated is not None:
                write_kernel(Path(order.part), degradation.estimated)
        shown = layers[0].sample_range
        draft.add_output(samples, source.metadata.icc, degradation.estimated, shown)
        if store is not None and result.weights is not None:
            store.keep(result.weights)
        where, seconds = self._device, progress.seconds
        report = _work_report(samples, result, degradation, written, device=where, seconds=seconds)
        suffix = order.output.format_for(source.info.format).suffix
        return WorkDone(
            job_id=order.job_id, out_sha256=written.sha256, suffix=suffix, report=report
        )

    def _enlarge_layer(
        self,
        order: WorkOrder,
        layer: Layer,
        picture: Tensor,
        *,
        degradation: Degradation,
        progress: "_FrameProgress",
        initial: Weights | None = None,
    ) -> SuperResolved:
        """Fit a network on `picture`, that of `layer`, and fill the layer's samples."""
        result = super_resolve(
            picture,
            order.config,
            device=self._device,
            on_step=progress.on_step,
            initial_weights=initial,
            put=layer.put,
            degradation=degradation,
        )
        layer.finish(degradation.adapted(order.config), degradation.blur)
        progress.add_layer(result.seconds)
        return result


class _FrameProgress:
    """Tells how far a frame is, and measures the seconds of its stages."""

    def __init__(self, order: WorkOrder, on_progress: OnProgress) -> None:
        self._job_id = order.job_id
        self._on_progress = on_progress
        self.seconds: dict[str, float] = {}
        self.patience_s = 0.0  # that a calculation on the whole image may take
        self.layers = 1  # of which each has a fit of its own
        self._layers_done = 0

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

    def add_layer(self, seconds: dict[str, float]) -> None:
        """Count a layer as done, and add the seconds of its stages."""
        self._layers_done += 1
        for stage, value in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + value

    def on_step(self, step: Step) -> None:
        """Pass a sign of life of the algorithm on."""
        done = (self._layers_done + step.fraction) / self.layers
        fraction = _FIT_FROM + (_ENCODE_FROM - _FIT_FROM) * done
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
    is_there = torch.cuda.is_available() and index < torch.cuda.device_count()
    return torch.device("cuda", index) if is_there else torch.device("cpu")


def _decode(
    order: WorkOrder, file: SourceFile, draft: ReportDraft
) -> tuple[WorkOrder, DecodedImage]:
    """Return the order for a frame, in which its size made a factor of a target, and the frame.

    Raises ImageSettingsError where that factor cannot be, and ImageError where its output would be
    too large, or could not hold its samples.
    """
    source = file.decode(order.frame)
    order = _for_size(order, source.info.width, source.info.height)
    size = order.config.output_size(source.info.width, source.info.height)
    fault = order.output.fault(source.info, *size)
    if fault is not None:
        raise fault
    if order.jpeg_quality == "auto" and not source.may_be_jpeg:
        order = replace(order, jpeg_quality="none")
    if order.jpeg_quality != "none":  # JPEG counts in levels of its container
        source = source.in_container()
    draft.add_source(source, *size)
    return order, source


def _for_size(order: WorkOrder, width: int, height: int) -> WorkOrder:
    try:
        return replace(order, config=order.config.for_size(width, height))
    except ValueError as error:
        raise ImageSettingsError(f"[zssr] {error}") from error


def _degradation(
    order: WorkOrder, file: SourceFile, picture: Tensor, layer: Layer
) -> SourceDegradation:
    """Return what degraded the colours of a source; layer: theirs."""
    tables, void, levels = file.jpeg_tables, layer.void, layer.levels
    return SourceDegradation.of(order, picture, tables=tables, void=void, levels=levels)


def _taken(order: WorkOrder, layer: Layer, source: SourceDegradation) -> tuple[Tensor, Degradation]:
    """Return a further sample as a grey picture, and what degraded it."""
    picture = layer.taken_picture()
    return picture, source.of_layer(order, picture, void=layer.void, levels=layer.levels)


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


def _enlarge_alpha(layer: Layer, config: ZSSRConfig, degradation: SourceDegradation) -> None:
    """Enlarge alpha without a network."""

    def put(part: Tensor, top: int, left: int) -> None:
        layer.put(part[0], top, left)

    enlarge_plainly(layer.taken_picture()[None], config, put, degradation.degradation.blur)


def _work_report(
    samples: NDArray[Any],
    result: SuperResolved,
    degradation: SourceDegradation,
    written: WrittenPart,
    *,
    device: torch.device,
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
        gpu_memory_peak_bytes=peak_memory_bytes(device),
        kernel=degradation.kernel,
        kernel_sha256=degradation.degradation.blur.sha256,
        kernel_why=degradation.why,
        found=degradation.found,
        noise_std=degradation.degradation.noise_std,
        jpeg_quality=degradation.degradation.jpeg_quality,
        tileable=result.tileable,
        note=written.note,
    )
