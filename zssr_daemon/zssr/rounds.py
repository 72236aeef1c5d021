"""Rounds: fit, enlarge, take the result shrunk to half-way as a father too, fit on.

The extra father is the paper's gradual increase of resolution (arXiv 1712.06087, section 3.2)
with the intermediate scale reached from above.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from zssr_daemon.zssr.back_projection import back_project
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.fit import DivergedError, fit
from zssr_daemon.zssr.guard import Guard
from zssr_daemon.zssr.infer import enlarge, step_size, tile_count
from zssr_daemon.zssr.network import ResidualNet, unshuffle_factor
from zssr_daemon.zssr.pairs import PairPool
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.resize import resize
from zssr_daemon.zssr.schedule import Cosine, Plateau, Schedule

# Share of the learning rate in every round after the first, which starts from fitted weights.
LATER_ROUNDS_RATE = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a refit changes: learning rate, seed, precision."""

    lr: float
    seed: int
    is_bf16: bool


def fit_rounds(
    parts: list[Tensor], guard: Guard, config: ZSSRConfig, attempt: Attempt, progress: Progress
) -> tuple[ResidualNet, float]:
    """Fit a new network on `parts`, (C, h, w) float32 in [0, 1] on the device of the fit.

    Returns the network and its reconstruction error (mean squared).
    Raises DivergedError as soon as a round ends no better than bicubic.
    """
    generator = torch.Generator().manual_seed(attempt.seed)
    network = new_network(parts[0], config, generator)
    fathers, done, mse = parts, 0, float("inf")

    def reconstruct() -> float:
        return guard.network_mse(network, is_bf16=attempt.is_bf16)

    for number, iterations in enumerate(round_budgets(config)):
        if number > 0:
            fathers = parts + half_way_fathers(parts, network, config, attempt.is_bf16, progress)
        lr = attempt.lr * (LATER_ROUNDS_RATE if number > 0 else 1)
        fit(
            network,
            new_pool(fathers, network, config, is_bf16=attempt.is_bf16),
            schedule=new_schedule(config, lr, iterations, reconstruct),
            iterations=iterations,
            batch_size=config.batch_size,
            generator=generator,
            is_bf16=attempt.is_bf16,
            on_iteration=_reporter(progress, config, done),
        )
        done += iterations
        mse = reconstruct()
        if not guard.is_alive(mse):
            raise DivergedError(f"reconstruction error {mse}, bicubic's {guard.bicubic_mse}")
    return network, mse


def new_pool(
    fathers: list[Tensor], network: ResidualNet, config: ZSSRConfig, *, is_bf16: bool
) -> PairPool:
    """Return the training pairs of fathers (C, h, w) float32 in [0, 1]."""
    return PairPool(
        fathers,
        scale=config.scale_factor,
        unshuffle=network.unshuffle,
        crop_size=config.crop_size,
        dtype=torch.bfloat16 if is_bf16 else torch.float32,
    )


def new_network(part: Tensor, config: ZSSRConfig, generator: torch.Generator) -> ResidualNet:
    """Return an unfitted network for parts like `part` (C, h, w), on its device."""
    network = ResidualNet(
        channels=part.shape[-3],
        unshuffle=unshuffle_factor(config.scale_factor),
        width=config.model_width,
        depth=config.model_depth,
        kernel_size=config.model_kernel_size,
        generator=generator,
    )
    return network.to(part.device).to(memory_format=torch.channels_last)


def new_schedule(
    config: ZSSRConfig, lr: float, iterations: int, reconstruct: Callable[[], float]
) -> Schedule:
    """Return the schedule of one round that peaks at `lr`."""
    if config.lr_schedule == "cosine":
        return Cosine(peak=lr, stop=config.lr_stop, iterations=iterations)
    return Plateau(
        rate=lr,
        stop=config.lr_stop,
        decay=config.lr_decay,
        ratio=config.lr_decay_ratio,
        window=config.lr_decay_range,
        every=config.lr_decay_step,
        reconstruct=reconstruct,
    )


def round_budgets(config: ZSSRConfig) -> list[int]:
    """Split num_epochs over the rounds, evenly, at least one iteration each."""
    rounds = min(config.rounds, config.num_epochs)
    marks = [config.num_epochs * number // rounds for number in range(rounds + 1)]
    return [after - before for before, after in pairwise(marks)]


def half_way_fathers(
    parts: list[Tensor],
    network: ResidualNet,
    config: ZSSRConfig,
    is_bf16: bool,
    progress: Progress,
) -> list[Tensor]:
    """Return each part enlarged and shrunk back to the middle between 1 and the scale."""
    scale = config.scale_factor
    middle = (1 + scale) / 2
    fathers = []
    for part in parts:
        source = part.unsqueeze(0)
        size = step_size(source, scale)
        enlarged = enlarge(
            source,
            network,
            config,
            size=size,
            is_bf16=is_bf16,
            on_tile=progress.tile_reporter(
                tile_count(config, network.unshuffle, size), config.ensemble_size
            ),
        )
        result = back_project(enlarged, source, scale, config.back_projections)
        father = resize(result, step_size(source, middle), middle / scale)
        fathers.append(father.clamp(0, 1).squeeze(0))
    return fathers


def iteration_work(config: ZSSRConfig) -> float:
    """Return one iteration's arithmetic in output pixels passed forward; backward costs two."""
    return 3.0 * config.batch_size * config.crop_size**2


def fit_work(parts: list[Tensor], config: ZSSRConfig) -> float:
    """Return the arithmetic of `fit_rounds` in output pixels passed forward."""
    area = sum(part.shape[-2] * part.shape[-1] for part in parts) * config.scale_factor**2
    enlargements = (len(round_budgets(config)) - 1) * area * config.ensemble_size
    return config.num_epochs * iteration_work(config) + enlargements


def _reporter(
    progress: Progress, config: ZSSRConfig, before: int
) -> Callable[[int, float | None, float], None]:
    work = iteration_work(config)

    def report(iteration: int, loss: float | None, rate: float) -> None:
        progress.fit_step(before + iteration, config.num_epochs, work, loss, rate)

    return report
