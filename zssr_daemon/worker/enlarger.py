"""Enlarger: one image file through decode, fit, inference and encode, on one device."""

import os
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

from zssr_daemon.errors import SourceChangedError
from zssr_daemon.imaging import decode
from zssr_daemon.protocol.messages import (
    Stage,
    WorkDone,
    WorkerReady,
    WorkOrder,
    WorkProgress,
    WorkReport,
)
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.safe_open import open_source
from zssr_daemon.worker.frames import enlarge_frames
from zssr_daemon.worker.kernel_files import write_kernel
from zssr_daemon.worker.source_degradation import Origin
from zssr_daemon.worker.start_store import WeightsStore
from zssr_daemon.worker.torch_errors import faults_as_reasons
from zssr_daemon.worker.write_output import (
    _comments,
    _new_samples,
    _put_alpha,
    _put_colour,
    _write,
)
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.inference.strips import enlarge_plainly
from zssr_daemon.zssr.pipeline import Step, SuperResolved, super_resolve
from zssr_daemon.zssr.training.weights import compatibility_key

# Where the stages begin and end in the fraction of the whole job; the fit and the inference
# share their part by arithmetic, and take nearly all the time.
_FIT_FROM = 0.01
_ENCODE_FROM = 0.98

# Encoding, reading back, and each calculation on the whole image are single calls of libraries
# that report nothing. The slowest, encoding, was measured at 0.2 µs an output pixel on one core.
_PATIENCE_S_PER_PIXEL = 2e-6

Report = Callable[[WorkProgress], None]


class Enlarger:
    """Holds a device, and enlarges one image after another on it."""

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
        config = ZSSRConfig(num_epochs=2, rounds=1, crop_size=8, model_width=4, model_depth=2)
        super_resolve(picture, config, device=self._device)
        # A plain str: unpickling a TorchVersion would load torch into the supervisor.
        return WorkerReady(device=str(self._device), torch_version=str(torch.__version__))

    def enlarge_file(self, order: WorkOrder, report: Report) -> WorkDone:
        """Enlarge every frame of `order.src_rel` that is wanted. Raises as `enlarge_order`."""
        return enlarge_frames(self, order, report)

    def enlarge_order(self, order: WorkOrder, report: Report) -> WorkDone:
        """Enlarge a frame of `order.src_rel` into `order.part`, and read the result back.

        Raises:
            JobError: the file, or the attempt, is at fault.
            OSError: a disk is.
        """
        with faults_as_reasons():
            return self._enlarge(order, _Run(order, report))

    def _enlarge(self, order: WorkOrder, run: "_Run") -> WorkDone:
        with run.stage("decode"):
            source = _decode(order)
            picture = torch.from_numpy(source.pixels).permute(2, 0, 1).contiguous()
            source = replace(source, pixels=np.empty((0, 0, 0), np.float32))  # or held twice
            origin = Origin.of(order, picture)
        out_width, out_height = order.config.output_size(source.info.width, source.info.height)
        run.patience_s = out_width * out_height * _PATIENCE_S_PER_PIXEL
        store = WeightsStore(Path(order.weights_folder)) if order.weights_folder else None
        initial = store.newest(_key(order, source, origin)) if store else None
        samples = _new_samples(order, source)
        result = super_resolve(
            picture,
            order.config,
            device=self._device,
            on_step=run.on_step,
            initial_weights=initial,
            put=partial(_put_colour, samples),
            degradation=origin.degradation,
        )
        del picture
        warm_start = initial.sha256 if initial and result.is_warm else None
        comments = _comments(order.config, result, origin, warm_start)
        with run.stage("encode"):
            if source.alpha is not None:
                alpha = torch.from_numpy(source.alpha)[None, None]
                put = partial(_put_alpha, samples)
                enlarge_plainly(alpha, order.config, put, origin.degradation.blur)
                run.alive()
            written = _write(order, source, samples, comments, run.alive)
            if origin.estimated is not None:
                write_kernel(Path(order.part), origin.estimated)
        if store is not None and result.weights is not None:
            store.keep(result.weights)
        run.seconds["fit"] = result.seconds["fit"]
        run.seconds["infer"] = result.seconds["infer"]
        return WorkDone(
            job_id=order.job_id,
            out_sha256=written.sha256,
            suffix=order.output.format_for(source.info.format).suffix,
            report=_work_report(
                samples,
                result,
                origin,
                seconds=run.seconds,
                warm_start=warm_start,
                note=written.note,
            ),
        )


class _Run:
    """Progress and seconds of one order."""

    def __init__(self, order: WorkOrder, report: Report) -> None:
        self._job_id = order.job_id
        self._report = report
        self.seconds: dict[str, float] = {}
        self.patience_s = 0.0  # with calculations on the whole image

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
        self._report(
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


def _decode(order: WorkOrder) -> decode.DecodedImage:
    fd = open_source(order.inbox, order.src_rel)
    try:
        if FileIdentity.from_stat(os.fstat(fd)) != order.identity:
            raise SourceChangedError("the source changed before its job began")
        source = decode.decode(fd, order.limits, frame=order.frame)
    finally:
        os.close(fd)
    size = order.config.output_size(source.info.width, source.info.height)
    fault = order.output.fault(source.info, *size)
    if fault is not None:
        raise fault
    return source


def _key(order: WorkOrder, source: decode.DecodedImage, origin: Origin) -> str:
    return compatibility_key(order.config, source.info.channels, origin.degradation)


def _work_report(
    samples: NDArray[np.unsignedinteger],
    result: SuperResolved,
    origin: Origin,
    *,
    seconds: dict[str, float],
    warm_start: str | None,
    note: str | None,
) -> WorkReport:
    height, width, _ = samples.shape
    return WorkReport(
        out_width=width,
        out_height=height,
        seconds=seconds,
        iterations=result.iterations,
        restarts=result.restarts,
        is_fallback=result.is_fallback,
        warm_start_sha256=warm_start,
        psnr_network_db=result.psnr_network_db,
        psnr_bicubic_db=result.psnr_bicubic_db,
        patch_size=result.patch_size,
        batch_size=result.batch_size,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        gpu_memory_peak_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
        kernel=origin.kernel,
        kernel_sha256=origin.degradation.blur.sha256,
        kernel_why=origin.why,
        noise_std=origin.degradation.noise_std,
        jpeg_quality=origin.degradation.jpeg_quality,
        note=note,
    )
