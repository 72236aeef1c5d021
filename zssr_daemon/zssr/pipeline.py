"""The pipeline: an image in, the super-resolved image out (arXiv 1712.06087)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.estimation.seam_estimate import tiling_found
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork, NoNetwork
from zssr_daemon.zssr.inference.grain import Grain
from zssr_daemon.zssr.inference.infer import enlarged_size
from zssr_daemon.zssr.inference.passes import all_passes, inference_work
from zssr_daemon.zssr.inference.strips import PassRunner, Put, place, whole_pass
from zssr_daemon.zssr.ops.regions import regions, wrap_of_parts
from zssr_daemon.zssr.ops.wrap import Wrap, WrapName
from zssr_daemon.zssr.progress import OnStep, Progress, Step
from zssr_daemon.zssr.scale import Scale
from zssr_daemon.zssr.start.shipped import find_start
from zssr_daemon.zssr.start.start_file import Family
from zssr_daemon.zssr.training.attempts import FitResult, attempts_in_turn, fit_guarded
from zssr_daemon.zssr.training.guard import Guard, psnr_db
from zssr_daemon.zssr.training.later_passes import fit_later_passes, later_work
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.rounds import fit_work
from zssr_daemon.zssr.training.weights import Weights, compatibility_key

__all__ = ["OnStep", "Step", "SuperResolved", "super_resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperResolved:
    """The result of `super_resolve` and how it came about."""

    image: Tensor  # (C, H', W') float32, CPU, [0, 1]; (C, 0, 0) where `put` took it
    iterations: int  # of all fits, failed ones too
    restarts: int  # refits the guard asked for, a cold fit after a warm one among them
    is_warm: bool  # fitted from weights, not from chance
    # What the fit began with: the name and the hash of the drawn start's file, or "given" and the
    # hash of initial_weights; None for chance, also where weights were tried and did not help.
    start: str | None
    start_sha256: str | None
    weights: Weights | None  # of the network, that of the first pass; None with a fallback
    is_fallback: bool  # bicubic and back-projection only: no fit succeeded, or nothing to learn
    # How well the image is rebuilt from its own shrunken version, both with back-projection, dB
    # over all channels. None without a network, or where bicubic errs by rounding only.
    psnr_network_db: float | None
    psnr_bicubic_db: float | None
    seconds: dict[str, float]  # {"fit": ..., "infer": ...}
    tileable: WrapName  # along which axes the image was taken to repeat
    # As the configuration asks, or halved until the device's memory sufficed.
    patch_size: int
    batch_size: int


def super_resolve(
    image: Tensor,
    config: ZSSRConfig,
    *,
    device: torch.device | str,
    on_step: OnStep | None = None,
    initial_weights: Weights | None = None,
    put: Put | None = None,
    degradation: Degradation = IDEAL,
) -> SuperResolved:
    """Super-resolve `image` by config.total_scale with networks fitted on it alone, one a pass.

    image: (C, H, W) float32 on the CPU, C 1 or 3, [0, 1], any size from 1 x 1.
    on_step: called after every iteration, tile and long calculation; what it raises ends the call.
    initial_weights: to start from: of a source degraded alike, or a drawn start for such a network.
    With None the fit starts from the drawn start for the network, unless there is none or
    config.start is "none". From weights it takes config.warm_iterations; if it fails, and the
    weights by themselves are no good either, fits of as many iterations from chance follow.
    put: takes the result in parts, (C, h, w) float32 on the CPU in [0, 1], each with the row and
    column of its corner; `image` of the result is then empty.
    degradation: how the source was made, its rounding too; noise and compression are removed from
    the result, but for the grain that it keeps. With a kernel config.total_scale is at most 8.
    The same arguments and thread count give the same bytes, unless seconds are the budget or
    memory runs out: then tiles, or the batch of a fit begun anew, are halved.

    Raises:
        ValueError: image, initial_weights or config cannot be used; the message says why.
        StartError: a drawn start that came with the program is missing or damaged.
        MemoryError, RuntimeError: the smallest tiles or batches, or the whole image, are too much.
    """
    config = _checked(image, config)
    key = compatibility_key(config, image.shape[0], degradation)
    config, degradation = _settled(image, config, degradation)
    fitting = (key, network_key(config, image.shape[0]))
    if initial_weights is not None and initial_weights.key not in fitting:
        raise ValueError(f"initial_weights are of {initial_weights.key}: this fit needs {key}")
    start = _start(config, image.shape[0], initial_weights, degradation)
    source = degradation.cleaned(image.to(device), partial(_report_cleaning, on_step))
    planes = to_planes(source, config)
    fit = _fit(planes, config, PairRule.of(config, degradation), on_step, start)
    started_s = time.perf_counter()
    result, keep = _destination(image, config, put)
    keep = _with_grain(keep, image, source, config.total_scale, degradation)
    _run_passes(planes, fit.runners, _taking_planes(keep, image.shape[0], config))
    return _super_resolved(result, fit, key, time.perf_counter() - started_s)


def _settled(
    image: Tensor, config: ZSSRConfig, degradation: Degradation
) -> tuple[ZSSRConfig, Degradation]:
    """Return both as this image needs them: adapted to each other, and wrapping as it does."""
    config = tiling_found(degradation.adapted(config), image)
    return config, degradation.wrapping(Wrap.of(config.tileable))


def _checked(image: Tensor, config: ZSSRConfig) -> ZSSRConfig:
    """Return `config` for an image of that size; refuse anything but (1 or 3, H, W) float32.

    Raises ValueError.
    """
    if image.dim() != 3 or image.shape[0] not in (1, 3) or image.numel() == 0:
        raise ValueError(f"image shape {tuple(image.shape)}: must be (1 or 3, H, W), not empty")
    if image.dtype != torch.float32:
        raise ValueError(f"image dtype {image.dtype}: must be float32")
    return config.for_size(image.shape[2], image.shape[1])


@dataclass(frozen=True, slots=True)
class _Start:
    """Weights that a fit begins with, and what they are called."""

    name: str
    sha256: str
    weights: Weights


def _start(
    config: ZSSRConfig, channels: int, given: Weights | None, degradation: Degradation
) -> _Start | None:
    """Return what the fit begins with; None for chance."""
    if given is not None:
        return _Start("given", given.sha256, given)
    drawn = None
    if config.start != "none":
        drawn = find_start(config, channels, family=_family(degradation))
    return None if drawn is None else _Start(drawn.name, drawn.sha256, drawn.weights)


def _family(degradation: Degradation) -> Family:
    """Return the kind of sources that a start should know: of noise under JPEG little is left."""
    if degradation.jpeg_quality is not None:
        return "jpeg"
    return "noise" if degradation.noise_std > 0 else "clean"


def _report_cleaning(on_step: OnStep | None) -> None:
    """Report that the work before the fit goes on."""
    if on_step is not None:
        on_step(Step("fit", 0, 1, 0.0, None, None))


def to_planes(image: Tensor, config: ZSSRConfig) -> Tensor:
    """Return (C, H, W) as (N, C', H, W), C' as config.in_channels asks."""
    if config.in_channels == 1:
        return image.unsqueeze(1)
    if config.in_channels == 3:
        return image.expand(3, -1, -1).unsqueeze(0)
    return image.unsqueeze(0)


def from_planes(planes: Tensor, channels: int, config: ZSSRConfig) -> Tensor:
    """Undo `to_planes` for an image of `channels`."""
    if config.in_channels == 1:
        return planes.squeeze(1)
    if config.in_channels == 3 and channels == 1:
        return planes.mean(dim=1)
    return planes.squeeze(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fit:
    """A guarded fit, and what the passes after it need."""

    result: FitResult
    start: _Start | None  # which it began with
    runners: tuple[FittedNetwork | NoNetwork, ...]  # one for each pass
    psnr_bicubic_db: float | None
    memory: Memory
    progress: Progress
    seconds: float


def _fit(
    planes: Tensor,
    config: ZSSRConfig,
    rule: PairRule,
    on_step: OnStep | None,
    start: _Start | None,
) -> _Fit:
    """Fit a network for each pass on (N, C, H, W), or on the regions of it that a fit looks at."""
    wrap = rule.blur.wrap
    parts = regions(planes, torch.Generator().manual_seed(config.seed), wrap)
    rule_of_parts = rule.within(wrap_of_parts(planes, parts, wrap))
    if start is not None:  # so that weights which do not help cost little time
        config = replace(config, num_epochs=config.warm_iterations)
    initial_weights = None if start is None else start.weights
    attempts = attempts_in_turn(config, rule_of_parts, planes.device, initial_weights)
    fits = fit_work(parts, attempts[0]) + later_work(parts, config, rule_of_parts)
    inference = inference_work(planes, config, rule.blur)
    progress = Progress(on_step, fits + inference)
    memory = Memory(config)
    started_s = time.perf_counter()
    guard = Guard(parts, rule_of_parts, back_projections=config.back_projections)
    result = fit_guarded(parts, guard, attempts, memory, progress)
    networks: tuple[FittedNetwork | NoNetwork, ...]
    if result.fitted is None:
        nothing = NoNetwork(config=config, blur=rule.blur, progress=progress)
        networks = (nothing,) * len(all_passes(config))
    else:
        networks = fit_later_passes(parts, result.fitted, config, rule_of_parts)
    seconds = time.perf_counter() - started_s
    progress.leave_only(inference)
    return _Fit(
        result=result,
        start=start if result.is_warm else None,
        runners=tuple(replace(each, blur=rule.blur) for each in networks),
        psnr_bicubic_db=None if guard.is_flat else psnr_db(guard.bicubic_mse),
        memory=memory,
        progress=progress,
        seconds=seconds,
    )


def _run_passes(planes: Tensor, runners: Sequence[FittedNetwork | NoNetwork], put: Put) -> None:
    """Run pass after pass, each held to the source by back-projection; `put` takes the last one.

    planes: the source, (N, C, H, W).
    """
    previous = planes
    *earlier, last = zip(all_passes(runners[0].config), runners, strict=True)
    for step, runner in earlier:
        previous = whole_pass(previous, planes, step, runner)
    PassRunner(previous, planes, *last).run(put)


def _destination(image: Tensor, config: ZSSRConfig, put: Put | None) -> tuple[Tensor, Put]:
    """Return the tensor for the result, and what puts parts of (C, h, w) there or elsewhere."""
    if put is not None:
        return image.new_empty(image.shape[0], 0, 0), put
    result = image.new_empty(image.shape[0], *enlarged_size(image, config.total_scale))
    return result, partial(place, result)


def _with_grain(
    put: Put, image: Tensor, source: Tensor, scale: Scale, degradation: Degradation
) -> Put:
    """Return `put`, or what first puts the grain back that cleaning took out of `image`."""
    if not degradation.keeps_grain:
        return put
    return Grain(image - source.cpu(), scale, degradation.blur).put_back(put)


def _taking_planes(put: Put, channels: int, config: ZSSRConfig) -> Put:
    """Return what hands parts of the planes (N, C', h, w) to `put` as parts of the image."""
    return lambda part, top, left: put(from_planes(part, channels, config).cpu(), top, left)


def _super_resolved(image: Tensor, fit: _Fit, key: str, infer_s: float) -> SuperResolved:
    """Return the result of a call."""
    fitted, mse = fit.result.fitted, fit.result.mse
    return SuperResolved(
        image=image,
        iterations=fit.progress.iterations,
        restarts=fit.result.restarts,
        is_warm=fit.result.is_warm,
        start=None if fit.start is None else fit.start.name,
        start_sha256=None if fit.start is None else fit.start.sha256,
        weights=None if fitted is None else Weights.of(fitted.network, key),
        is_fallback=fitted is None,
        psnr_network_db=None if mse is None else psnr_db(mse),
        psnr_bicubic_db=fit.psnr_bicubic_db,
        patch_size=fit.memory.patch_size,
        batch_size=fit.memory.batch_size,
        seconds={"fit": fit.seconds, "infer": infer_s},
        tileable=fit.runners[0].blur.wrap.name,
    )
