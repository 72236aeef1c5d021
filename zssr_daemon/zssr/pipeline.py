"""The pipeline: an image in, the enlarged image out (arXiv 1712.06087)."""

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from zssr_daemon.zssr.back_projection import back_project
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.fit import DivergedError
from zssr_daemon.zssr.guard import Guard, psnr_db
from zssr_daemon.zssr.infer import enlarge, step_size, tile_count
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.pairs import regions
from zssr_daemon.zssr.precision import is_bf16_wanted
from zssr_daemon.zssr.progress import OnStep, Progress, Step
from zssr_daemon.zssr.resize import resize
from zssr_daemon.zssr.rounds import Attempt, fit_rounds, fit_work

__all__ = ["OnStep", "Step", "SuperResolved", "super_resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperResolved:
    """The result of `super_resolve` and how it came about."""

    image: Tensor  # (C, H', W') float32, CPU, [0, 1]
    iterations: int  # of all fits, failed ones too
    restarts: int  # refits the guard asked for
    is_fallback: bool  # bicubic and back-projection only: no fit succeeded, or nothing to learn
    # The input rebuilt from its own shrunken version, both with back-projection, dB over all
    # channels; None where it tells nothing: no network, or no error beyond rounding.
    psnr_network_db: float | None
    psnr_bicubic_db: float | None
    seconds: dict[str, float]  # {"fit": ..., "infer": ...}


@dataclass(frozen=True, slots=True)
class _Fitted:
    """What the attempts at a fit came to."""

    network: ResidualNet | None
    mse: float | None
    restarts: int
    is_bf16: bool


def super_resolve(
    image: Tensor, config: ZSSRConfig, *, device: torch.device | str, on_step: OnStep | None = None
) -> SuperResolved:
    """Enlarge `image` by config.total_scale with a network fitted on it alone.

    image: (C, H, W) float32 on the CPU, C 1 or 3, [0, 1], any size from 1 x 1.
    on_step is called after every iteration and tile; what it raises ends the call and passes on.
    The same image, config, device and thread count give the same bytes.
    """
    _check(image)
    planes = to_planes(image, config).to(device)
    parts = regions(planes, torch.Generator().manual_seed(config.seed))
    inference = inference_work(planes, config)
    progress = Progress(on_step, fit_work(parts, config) + inference)
    started_s = time.perf_counter()
    guard = Guard(parts, config)
    fitted = _fit_guarded(parts, guard, config, progress)
    fitted_s = time.perf_counter()
    progress.leave_only(inference)
    enlarged = _apply_schedule(planes, fitted, config, progress)
    result = from_planes(enlarged, image.shape[0], config).cpu().contiguous()
    return SuperResolved(
        image=result,
        iterations=progress.iterations,
        restarts=fitted.restarts,
        is_fallback=fitted.network is None,
        psnr_network_db=None if fitted.mse is None else psnr_db(fitted.mse),
        psnr_bicubic_db=None if guard.is_flat else psnr_db(guard.bicubic_mse),
        seconds={"fit": fitted_s - started_s, "infer": time.perf_counter() - fitted_s},
    )


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


def inference_work(planes: Tensor, config: ZSSRConfig) -> float:
    """Return the arithmetic of the final inference in output pixels passed forward."""
    steps = range(1, config.scale_times + 1)
    growth = sum(config.scale_factor ** (2 * step) for step in steps)
    count, _, height, width = planes.shape
    return float(count * height * width * growth * config.ensemble_size)


def _check(image: Tensor) -> None:
    if image.dim() != 3 or image.shape[0] not in (1, 3) or image.numel() == 0:
        raise ValueError(f"image shape {tuple(image.shape)}: must be (1 or 3, H, W), not empty")
    if image.dtype != torch.float32:
        raise ValueError(f"image dtype {image.dtype}: must be float32")


def _fit_guarded(
    parts: list[Tensor], guard: Guard, config: ZSSRConfig, progress: Progress
) -> _Fitted:
    """Fit, and fit again more safely while the guard refuses the result."""
    if guard.is_flat:
        return _Fitted(None, None, 0, False)
    attempts = _attempts(config, parts[0].device)
    for restarts, attempt in enumerate(attempts):
        if restarts > 0:
            progress.add_work(fit_work(parts, config))
        try:
            network, mse = fit_rounds(parts, guard, config, attempt, progress)
        except DivergedError:
            continue
        return _Fitted(network, mse, restarts, attempt.is_bf16)
    return _Fitted(None, None, len(attempts) - 1, False)


def _attempts(config: ZSSRConfig, device: torch.device) -> list[Attempt]:
    """Return the fits to try in turn: as asked, half the rate with another seed, then fp32."""
    is_bf16 = is_bf16_wanted(config.precision, device)
    return [
        Attempt(lr=config.lr, seed=config.seed, is_bf16=is_bf16),
        Attempt(lr=config.lr / 2, seed=config.seed + 1, is_bf16=is_bf16),
        Attempt(lr=config.lr / 4, seed=config.seed + 2, is_bf16=False),
    ]


def _apply_schedule(
    planes: Tensor, fitted: _Fitted, config: ZSSRConfig, progress: Progress
) -> Tensor:
    """Enlarge step by step, each held to the source by back-projection.

    planes: (N, C, H, W); returns (N, C, H', W') float32 in [0, 1].
    """
    result = planes
    for step in range(1, config.scale_times + 1):
        scale = config.scale_factor**step
        size = step_size(planes, scale)
        if fitted.network is None:
            result = resize(planes, size, scale)
        else:
            tiles = tile_count(config, fitted.network.unshuffle, size)
            result = enlarge(
                result,
                fitted.network,
                config,
                size=size,
                is_bf16=fitted.is_bf16,
                on_tile=progress.tile_reporter(tiles, len(planes) * config.ensemble_size),
            )
        result = back_project(result, planes, scale, config.back_projections)
    return result
