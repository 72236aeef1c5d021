"""Rounds: fit, super-resolve, let the result, shrunk part of the way, be a father too, fit on.

The extra fathers are the paper's gradual increase of resolution (arXiv 1712.06087, section 3.2),
with the intermediate scales reached from above.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Blur
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork, ensemble_members
from zssr_daemon.zssr.inference.infer import apply_network, enlarged_size
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.scale import area_ratio, part_way, ratio
from zssr_daemon.zssr.training.affine_pairs import AffinePool
from zssr_daemon.zssr.training.budget import Budget, round_count
from zssr_daemon.zssr.training.fit import DivergedError, fit
from zssr_daemon.zssr.training.guard import Guard
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.pairs import PairPool, Pool
from zssr_daemon.zssr.training.schedule import Cosine, Plateau, Schedule, TimedCosine, Until
from zssr_daemon.zssr.training.weights import Weights

# Share of the learning rate in every round after the first, which starts from fitted weights.
LATER_ROUNDS_RATE = 0.7

# Sizes of the extra fathers: 0 is the source, 1 the result, which is too unsure to learn from.
INTERMEDIATE = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One fit: `config`, and what a refit changes of it: rate, seed, precision, start."""

    config: ZSSRConfig
    rule: PairRule
    lr: float
    seed: int
    is_bf16: bool
    initial_weights: Weights | None = None


def fit_rounds(
    parts: list[Tensor], guard: Guard, attempt: Attempt, memory: Memory, progress: Progress
) -> tuple[FittedNetwork, float]:
    """Fit a new network on `parts`, (C, h, w) float32 in [0, 1] on the device of the fit.

    Returns the network and its reconstruction error (mean squared).

    Raises:
        DivergedError: a round ended no better than bicubic, or with a loss that is not finite.
    """
    config = attempt.config
    generator = torch.Generator().manual_seed(attempt.seed)
    fitted = begun(parts, attempt, memory, progress, generator)
    budget = Budget.of(config)
    report = _reporter(progress, config, budget)
    reconstruct = partial(fitted.within_memory, guard.network_mse)
    done, mse = 0, float("inf")
    for number in range(budget.rounds):
        fathers = parts + own_fathers(parts, fitted) if number > 0 else parts
        lr = attempt.lr * (LATER_ROUNDS_RATE if number > 0 else 1)
        done += fit(
            fitted,
            new_pool(fathers, attempt.rule, config, is_bf16=attempt.is_bf16),
            schedule=new_schedule(config, lr, budget, number, reconstruct),
            iterations=budget.round_iterations(number),
            generator=generator,
            on_iteration=partial(report, done),
        )
        mse = reconstruct()
        if not guard.is_alive(mse):
            raise DivergedError(f"reconstruction error {mse}, bicubic's {guard.bicubic_mse}")
    return fitted, mse


def begun(
    parts: list[Tensor],
    attempt: Attempt,
    memory: Memory,
    progress: Progress,
    generator: torch.Generator,
) -> FittedNetwork:
    """Return the network of an attempt before its first iteration, on the device of `parts`.

    generator: draws the weights, also where given ones replace them.
    """
    network = new_network(parts[0], attempt.config, generator)
    if attempt.initial_weights is not None:
        attempt.initial_weights.apply(network)
    return FittedNetwork(
        network=network,
        config=attempt.config,
        is_bf16=attempt.is_bf16,
        blur=attempt.rule.blur,
        memory=memory,
        progress=progress,
    )


def new_pool(fathers: list[Tensor], rule: PairRule, config: ZSSRConfig, *, is_bf16: bool) -> Pool:
    """Return the training pairs of fathers (C, h, w) float32 in [0, 1]."""
    kind = AffinePool if config.augmentation == "affine" else PairPool
    dtype = torch.bfloat16 if is_bf16 else torch.float32
    return kind(fathers, rule, crop_size=config.crop_size, dtype=dtype)


def new_network(part: Tensor, config: ZSSRConfig, generator: torch.Generator) -> ResidualNet:
    """Return an unfitted network for parts like `part` (C, h, w), on its device."""
    network = ResidualNet(config, channels=part.shape[-3], generator=generator)
    return network.to(part.device).to(memory_format=torch.channels_last)


def new_schedule(
    config: ZSSRConfig, lr: float, budget: Budget, number: int, reconstruct: Callable[[], float]
) -> Schedule:
    """Return the schedule of round `number`, which begins now and peaks at `lr`.

    reconstruct: returns the mean squared error of the input rebuilt from its son.
    """
    share = budget.round_share(number)
    if config.lr_schedule == "plateau":
        schedule: Schedule = Plateau(
            rate=lr,
            stop=config.lr_stop,
            decay=config.lr_decay,
            ratio=config.lr_decay_ratio,
            span=config.lr_decay_range,
            every=config.lr_decay_step,
            reconstruct_every=config.reconstruct_step,
            reconstruct=reconstruct,
        )
    elif share is None:
        schedule = Cosine(peak=lr, stop=config.lr_stop, iterations=budget.round_iterations(number))
    else:
        schedule = TimedCosine(peak=lr, stop=config.lr_stop, share=share)
    return schedule if share is None else Until(schedule, share)


def own_fathers(parts: list[Tensor], fitted: FittedNetwork) -> list[Tensor]:
    """Return each part super-resolved, and shrunk to sizes between it and the network's scale."""
    scale = fitted.config.network_scale
    fathers = []
    for part in parts:
        source = part.unsqueeze(0)
        raw = apply_network(fitted, source, size=enlarged_size(source, scale))
        times = fitted.config.back_projections
        result = back_project(raw, source, scale, times, blur=fitted.blur)
        for middle in (part_way(scale, share) for share in INTERMEDIATE):
            size, smaller = enlarged_size(source, middle), ratio(middle, to=scale)
            father = resize(result, size, smaller, fitted.blur.wrap)
            fathers.append(father.clamp(0, 1).squeeze(0))
    return fathers


def own_fathers_work(parts: list[Tensor], config: ZSSRConfig, blur: Blur) -> float:
    """Return the arithmetic of `own_fathers` in output pixels passed forward."""
    area = sum(part.shape[-2] * part.shape[-1] for part in parts) * area_ratio(config.network_scale)
    return area * len(ensemble_members(config, blur))


def iteration_work(config: ZSSRConfig) -> float:
    """Return one iteration's arithmetic in output pixels passed forward; backward costs two."""
    return 3.0 * config.batch_size * config.crop_size**2


def fit_work(parts: list[Tensor], attempt: Attempt) -> float:
    """Return the arithmetic of `fit_rounds` in output pixels passed forward."""
    config = attempt.config
    between_rounds = own_fathers_work(parts, config, attempt.rule.blur)
    return config.num_epochs * iteration_work(config) + (round_count(config) - 1) * between_rounds


def _reporter(
    progress: Progress, config: ZSSRConfig, budget: Budget
) -> Callable[[int, int, float | None, float], None]:
    """Return what reports an iteration: iterations before this round, its number, loss, rate."""
    work = config.num_epochs * iteration_work(config)
    share = 0.0

    def report(before: int, iteration: int, loss: float | None, rate: float) -> None:
        nonlocal share
        done = before + iteration
        last, share = share, budget.share(done)
        progress.fit_step(done, budget.steps(done), work * (share - last), loss, rate)

    return report
