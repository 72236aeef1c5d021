"""The pipeline: an image in, the enlarged image out (arXiv 1712.06087)."""

import time
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Blur, Kernel
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.device import Memory, is_bf16_wanted
from zssr_daemon.zssr.inference.infer import ensemble_members, step_size
from zssr_daemon.zssr.inference.strips import Pass, PassNeeds, PassRunner, Put
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.ops.regions import regions
from zssr_daemon.zssr.progress import OnStep, Progress, Step
from zssr_daemon.zssr.scale import Scale, area_ratio, passes, power, product
from zssr_daemon.zssr.training.fit import DivergedError
from zssr_daemon.zssr.training.guard import LEAST_WARM_GAIN_DB, Guard, psnr_db
from zssr_daemon.zssr.training.rounds import Attempt, fit_rounds, fit_work
from zssr_daemon.zssr.training.weights import Weights, compatibility_key

__all__ = ["OnStep", "Step", "SuperResolved", "super_resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperResolved:
    """The result of `super_resolve` and how it came about."""

    image: Tensor  # (C, H', W') float32, CPU, [0, 1]; (C, 0, 0) where `put` took it
    iterations: int  # of all fits, failed ones too
    restarts: int  # refits the guard asked for, a cold fit after a warm one among them
    is_warm: bool  # fitted from the given weights, not from chance
    weights: Weights | None  # of the network; None with a fallback
    is_fallback: bool  # bicubic and back-projection only: no fit succeeded, or nothing to learn
    # The input rebuilt from its own shrunken version, both with back-projection, dB over all
    # channels; None where it tells nothing: no network, or no error beyond rounding.
    psnr_network_db: float | None
    psnr_bicubic_db: float | None
    seconds: dict[str, float]  # {"fit": ..., "infer": ...}
    # As the configuration asks, or halved until the device's memory sufficed.
    patch_size: int
    batch_size: int


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What the attempts at a fit came to."""

    network: ResidualNet | None
    mse: float | None
    restarts: int
    attempt: Attempt | None = None


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
    """Enlarge `image` by config.total_scale with a network fitted on it alone.

    image: (C, H, W) float32 on the CPU, C 1 or 3, [0, 1], any size from 1 x 1.
    on_step is called after every iteration, tile and long calculation; what it raises ends the
    call and passes on.
    initial_weights: a fit of another image to start from, for config.warm_num_epochs iterations;
    if that ends not clearly above bicubic, a fit from chance follows.
    put: takes the result in parts, (C, h, w) float32 on the CPU in [0, 1] with the row and column
    of its corner, instead of `image` holding all of it.
    degradation: how the image came from what is wanted. Of noise and JPEG compression the result
    is freed, and not held to the image by them. With a kernel all of config.total_scale, at most
    8, is one step of one pass: a network that also removes a blur must not be repeated.
    The same image, config, device, thread count and weights give the same bytes, unless seconds
    are the budget or memory runs out: then tiles, or the batch of a fit begun anew, are halved.

    Raises:
        MemoryError: the smallest tiles, or batches of one crop, are too much, or the whole image
            is; RuntimeError where torch says so.
    """
    key = compatibility_key(config, image.shape[0], degradation)
    _check(image)
    config = degradation.adapted(config)
    if isinstance(degradation.blur, Kernel):
        config = config.in_one_pass()
    if initial_weights is not None and initial_weights.key != key:
        raise ValueError(f"initial_weights are of {initial_weights.key}: this fit needs {key}")
    cleaned = degradation.cleaned(image.to(device), partial(_tell_of_cleaning, on_step))
    planes = to_planes(cleaned, config)
    parts = regions(planes, torch.Generator().manual_seed(config.seed))
    inference = inference_work(planes, config, degradation.blur)
    attempts = _attempts(config, planes.device, initial_weights, degradation)
    progress = Progress(on_step, fit_work(parts, attempts[0]) + inference)
    started_s = time.perf_counter()
    guard = Guard(parts, config, degradation)
    memory = Memory(config)
    fitted = _fit_guarded(parts, guard, attempts, progress, memory)
    fitted_s = time.perf_counter()
    progress.leave_only(inference)
    result, keep = _result(image, config, put)
    _apply_schedule(
        planes,
        fitted,
        config,
        PassNeeds(memory, progress, degradation.blur),
        lambda part, top, left: keep(from_planes(part, image.shape[0], config).cpu(), top, left),
    )
    return SuperResolved(
        image=result,
        iterations=progress.iterations,
        restarts=fitted.restarts,
        is_warm=fitted.attempt is not None and fitted.attempt.initial_weights is not None,
        weights=None if fitted.network is None else Weights.of(fitted.network, key),
        is_fallback=fitted.network is None,
        psnr_network_db=None if fitted.mse is None else psnr_db(fitted.mse),
        psnr_bicubic_db=None if guard.is_flat else psnr_db(guard.bicubic_mse),
        patch_size=memory.patch_size,
        batch_size=memory.batch_size,
        seconds={"fit": fitted_s - started_s, "infer": time.perf_counter() - fitted_s},
    )


def _tell_of_cleaning(on_step: OnStep | None) -> None:
    """Report that the work before the fit goes on."""
    if on_step is not None:
        on_step(Step("fit", 0, 1, 0.0, None, None))


def _result(image: Tensor, config: ZSSRConfig, put: Put | None) -> tuple[Tensor, Put]:
    """Return the tensor for the result, and what puts parts of (C, h, w) there or elsewhere."""
    if put is not None:
        return image.new_empty(image.shape[0], 0, 0), put
    result = image.new_empty(image.shape[0], *step_size(image, config.total_scale))
    return result, partial(_place, result)


def to_planes(image: Tensor, config: ZSSRConfig) -> Tensor:
    """Return (N, C', H, W) of (C, H, W), C' as config.in_channels asks."""
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


def all_passes(config: ZSSRConfig) -> list[tuple[Scale, Scale]]:
    """Return the passes of the network: (enlarged to, then shrunk to), relative to the source."""
    starts = [power(config.scale_factor, number) for number in range(config.scale_times)]
    return [
        (product(start, reached), product(start, kept))
        for start in starts
        for reached, kept in passes(config.scale_factor, config.network_scale)
    ]


def inference_work(planes: Tensor, config: ZSSRConfig, blur: Blur) -> float:
    """Return the arithmetic of the final inference in output pixels passed forward."""
    growth = sum(area_ratio(reached) for reached, _ in all_passes(config))
    count, _, height, width = planes.shape
    members = len(ensemble_members(config, blur))
    return float(count * height * width * growth * members)


def _check(image: Tensor) -> None:
    if image.dim() != 3 or image.shape[0] not in (1, 3) or image.numel() == 0:
        raise ValueError(f"image shape {tuple(image.shape)}: must be (1 or 3, H, W), not empty")
    if image.dtype != torch.float32:
        raise ValueError(f"image dtype {image.dtype}: must be float32")


def _fit_guarded(
    parts: list[Tensor],
    guard: Guard,
    attempts: list[Attempt],
    progress: Progress,
    memory: Memory,
) -> _Fitted:
    """Fit, and fit again more safely while the guard refuses the result."""
    if guard.is_flat:
        return _Fitted(None, None, 0)
    for restarts, attempt in enumerate(attempts):
        if restarts > 0:
            progress.add_work(fit_work(parts, attempt))
        try:
            network, mse = _fit_within(memory, parts, guard, attempt, progress)
        except DivergedError:
            continue
        return _Fitted(network, mse, restarts, attempt)
    return _Fitted(None, None, len(attempts) - 1)


def _fit_within(
    memory: Memory, parts: list[Tensor], guard: Guard, attempt: Attempt, progress: Progress
) -> tuple[ResidualNet, float]:
    """Fit with as many crops an iteration as memory allows; each try begins from the start."""

    def begin(smaller: ZSSRConfig) -> tuple[ResidualNet, float]:
        return fit_rounds(parts, guard, replace(attempt, config=smaller), progress, memory)

    return memory.with_smaller("batch_size", attempt.config, progress, begin)


def _attempts(
    config: ZSSRConfig,
    device: torch.device,
    initial_weights: Weights | None,
    degradation: Degradation,
) -> list[Attempt]:
    """Return the fits to try in turn.

    From the given weights, if any; as asked; half the rate with another seed; then fp32.
    """
    is_bf16 = is_bf16_wanted(config.precision, device)
    first = Attempt(
        config=config,
        lr=config.lr,
        seed=config.seed,
        is_bf16=is_bf16,
        degradation=degradation,
    )
    cold = [
        first,
        replace(first, lr=config.lr / 2, seed=config.seed + 1),
        replace(first, lr=config.lr / 4, seed=config.seed + 2, is_bf16=False),
    ]
    if initial_weights is None:
        return cold
    warm = replace(
        first,
        config=replace(config, num_epochs=config.warm_num_epochs),
        initial_weights=initial_weights,
        least_gain_db=LEAST_WARM_GAIN_DB,
    )
    return [warm, *cold]


def _apply_schedule(
    planes: Tensor, fitted: _Fitted, config: ZSSRConfig, needs: PassNeeds, put: Put
) -> None:
    """Enlarge step by step, each held to the source by back-projection, the last handed to `put`.

    planes: (N, C, H, W).
    """
    result = planes
    start: Scale = 1.0
    schedule = all_passes(config)
    for number, (reached, kept) in enumerate(schedule, 1):
        runner = PassRunner(
            result,
            planes,
            Pass(start=start, reached=reached, kept=kept),
            config,
            needs,
            network=fitted.network,
            is_bf16=fitted.attempt is not None and fitted.attempt.is_bf16,
        )
        if number == len(schedule):
            runner.run(put)
        else:
            result = planes.new_empty(*planes.shape[:2], *step_size(planes, kept))
            runner.run(partial(_place, result))
        start = kept


def _place(image: Tensor, part: Tensor, top: int, left: int) -> None:
    """Copy a part into an image."""
    height, width = part.shape[-2:]
    image[..., top : top + height, left : left + width] = part
