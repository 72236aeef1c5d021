"""Enlarger: one image file through decode, fit, inference and encode, on one device."""

import dataclasses
import hashlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zssr_daemon import __version__, encode, images
from zssr_daemon.errors import SourceChangedError, TransientError
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.identity import FileIdentity
from zssr_daemon.messages import (
    Stage,
    WorkDone,
    WorkerReady,
    WorkOrder,
    WorkProgress,
    WorkReport,
)
from zssr_daemon.safe_open import open_source
from zssr_daemon.weights_store import WeightsStore
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.pipeline import Step, SuperResolved, super_resolve
from zssr_daemon.zssr.resize import resize
from zssr_daemon.zssr.weights import compatibility_key

# Where the stages begin and end in the fraction of the whole job; the fit and the inference
# share their part by arithmetic, and take nearly all the time.
_FIT_FROM = 0.01
_ENCODE_FROM = 0.98

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

    def enlarge_order(self, order: WorkOrder, report: Report) -> WorkDone:
        """Enlarge `order.src_rel` into `order.part`, and read the result back to verify it.

        Raises:
            JobError: the file, or the attempt, is at fault.
            OSError: a disk is.
        """
        run = _Run(order, report)
        with run.stage("decode"):
            source = _decode(order)
        store = WeightsStore(Path(order.weights_folder)) if order.weights_folder else None
        initial = store.newest(_key(order, source)) if store else None
        with _out_of_memory_as_reason():
            result = super_resolve(
                torch.from_numpy(source.pixels).permute(2, 0, 1).contiguous(),
                order.config,
                device=self._device,
                on_step=run.on_step,
                initial_weights=initial,
            )
        warm_start = initial.sha256 if initial and result.is_warm else None
        with run.stage("encode"):
            sha256 = _write(order, source, result, warm_start)
        if store is not None and result.weights is not None:
            store.keep(result.weights)
        run.seconds["fit"] = result.seconds["fit"]
        run.seconds["infer"] = result.seconds["infer"]
        return WorkDone(
            job_id=order.job_id,
            out_sha256=sha256,
            report=_work_report(result, run.seconds, warm_start),
        )


class _Run:
    """Progress and seconds of one order."""

    def __init__(self, order: WorkOrder, report: Report) -> None:
        self._job_id = order.job_id
        self._report = report
        self.seconds: dict[Stage, float] = {}

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Time a stage that has no steps of its own."""
        fraction = 0.0 if name == "decode" else _ENCODE_FROM
        self._tell(name, fraction)
        started_s = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started_s

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
            )
        )


def _resolve(device: str) -> torch.device:
    if not device.startswith("auto:"):
        return torch.device(device)
    index = int(device.removeprefix("auto:"))
    if torch.cuda.is_available() and index < torch.cuda.device_count():
        return torch.device("cuda", index)
    return torch.device("cpu")


def _decode(order: WorkOrder) -> images.DecodedImage:
    fd = open_source(order.inbox, order.src_rel)
    try:
        if FileIdentity.from_stat(os.fstat(fd)) != order.identity:
            raise SourceChangedError("the source changed before its job began")
        return images.decode(fd, order.limits)
    finally:
        os.close(fd)


def _key(order: WorkOrder, source: images.DecodedImage) -> str:
    return compatibility_key(order.config, source.info.channels)


def _write(
    order: WorkOrder, source: images.DecodedImage, result: SuperResolved, warm_start: str | None
) -> str:
    """Write the part, read it back, and return its SHA-256."""
    pixels = result.image.permute(1, 2, 0).numpy()
    height, width, channels = pixels.shape
    part = os.open(order.part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        reach(Failpoint.PART_BEGUN)
        encode.encode(
            pixels,
            _enlarge_alpha(source.alpha, order.config, (height, width)),
            part,
            bit_depth=source.info.bit_depth,
            metadata=source.metadata,
            keep_metadata=order.keeps_metadata,
            comments=_comments(order.config, warm_start),
        )
        os.lseek(part, 0, os.SEEK_SET)
        encode.verify(
            part,
            width=width,
            height=height,
            channels=channels,
            has_alpha=source.alpha is not None,
            bit_depth=source.info.bit_depth,
            icc=source.metadata.icc,
        )
    finally:
        os.close(part)
    with Path(order.part).open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    reach(Failpoint.PART_WRITTEN)
    return sha256


def _enlarge_alpha(
    alpha: NDArray[np.float32] | None, config: ZSSRConfig, out_size: tuple[int, int]
) -> NDArray[np.float32] | None:
    """Enlarge transparency by itself, smoothly: (H, W) to `out_size` (height, width), [0, 1]."""
    if alpha is None:
        return None
    enlarged = resize(torch.from_numpy(alpha)[None], out_size, config.total_scale)
    return enlarged[0].clamp(0, 1).numpy()


def _comments(config: ZSSRConfig, warm_start: str | None) -> dict[str, str]:
    """Say how the picture was made; no times, so that equal work gives equal bytes."""
    parameters = dataclasses.asdict(config) | {"warm_start_sha256": warm_start}
    return {
        "Software": f"zssr_daemon {__version__}",
        "zssr": json.dumps(parameters, sort_keys=True),
    }


def _work_report(
    result: SuperResolved, seconds: dict[Stage, float], warm_start: str | None
) -> WorkReport:
    _, height, width = result.image.shape
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
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        gpu_memory_peak_bytes=torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0,
    )


@contextmanager
def _out_of_memory_as_reason() -> Iterator[None]:
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise TransientError(str(error), reason="out_of_memory") from error
