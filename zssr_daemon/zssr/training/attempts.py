"""Attempts: fit, and fit again more safely while the guard refuses the result."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.device import Memory, is_bf16_wanted
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.training.budget import split_budget
from zssr_daemon.zssr.training.fit import DivergedError
from zssr_daemon.zssr.training.guard import Guard
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.rounds import Attempt, begun, fit_rounds, fit_work
from zssr_daemon.zssr.training.weights import Weights

#: The peak rate of a fit that starts from weights, as a share of `lr`: it has less way to go.
WARM_RATE = 0.25
#: The same for a network with pairs, whose start is nearer to where the fit ends.
PAIRED_WARM_RATE = 0.125


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """What the attempts at a fit came to."""

    fitted: FittedNetwork | None  # None: there is nothing to learn, or no attempt succeeded
    mse: float | None  # of the image rebuilt from its son by that network
    restarts: int  # failed attempts before the last one
    is_warm: bool  # whether the network was fitted from given weights, or is these


def attempts_in_turn(
    config: ZSSRConfig, rule: PairRule, device: torch.device, initial_weights: Weights | None
) -> list[Attempt]:
    """Return the fits to try in turn.

    From the given weights, if any; from chance; half the rate with another seed; then a quarter of
    the rate in fp32. config: with the iterations of all passes; the first one has its part of them.
    """
    config, _ = split_budget(config)
    cold = Attempt(
        config=config,
        rule=rule,
        lr=config.lr,
        seed=config.seed,
        is_bf16=is_bf16_wanted(config.precision, device),
    )
    attempts = [
        cold,
        replace(cold, lr=config.lr / 2, seed=config.seed + 1),
        replace(cold, lr=config.lr / 4, seed=config.seed + 2, is_bf16=False),
    ]
    if initial_weights is not None:
        warm = replace(cold, initial_weights=initial_weights, lr=warm_lr(config))
        attempts.insert(0, warm)
    return attempts


def warm_lr(config: ZSSRConfig) -> float:
    """Return the peak rate of a fit that starts from weights."""
    return config.lr * (PAIRED_WARM_RATE if config.model_pairs else WARM_RATE)


def fit_guarded(
    parts: list[Tensor],
    guard: Guard,
    attempts: list[Attempt],
    memory: Memory,
    progress: Progress,
) -> FitResult:
    """Fit `parts`, (C, h, w) float32 in [0, 1], by the first attempt that the guard accepts."""
    if guard.is_flat:
        return FitResult(fitted=None, mse=None, restarts=0, is_warm=False)
    for restarts, attempt in enumerate(attempts):
        if restarts > 0:
            progress.add_work(fit_work(parts, attempt))
        try:
            fitted, mse = fit_within_memory(parts, guard, attempt, memory, progress)
        except DivergedError:
            continue
        is_warm = attempt.initial_weights is not None
        return FitResult(fitted=fitted, mse=mse, restarts=restarts, is_warm=is_warm)
    return FitResult(fitted=None, mse=None, restarts=len(attempts) - 1, is_warm=False)


def fit_within_memory(
    parts: list[Tensor], guard: Guard, attempt: Attempt, memory: Memory, progress: Progress
) -> tuple[FittedNetwork, float]:
    """Fit with as many crops an iteration as memory allows; each try begins from the start.

    Returns the network, or the given weights where they are better, and its error for the guard.

    Raises:
        DivergedError: neither is good enough.
    """

    def begin(smaller: ZSSRConfig) -> tuple[FittedNetwork, float]:
        each = replace(attempt, config=smaller)
        run = fit_rounds if attempt.initial_weights is None else _fit_from_weights
        return run(parts, guard, each, memory, progress)

    return memory.with_smaller("batch_size", attempt.config, progress, begin)


def _fit_from_weights(
    parts: list[Tensor], guard: Guard, attempt: Attempt, memory: Memory, progress: Progress
) -> tuple[FittedNetwork, float]:
    """Do what `fit_rounds` does, and return the given weights where the fit ends below them.

    Raises:
        DivergedError: the fit failed, and the given weights are too bad to be used without one.
    """
    start = begun(parts, attempt, memory, progress, torch.Generator())
    start_mse = start.within_memory(guard.network_mse)
    try:
        fitted, mse = fit_rounds(parts, guard, attempt, memory, progress)
        if mse <= start_mse:
            return fitted, mse
    except DivergedError:
        if not guard.is_good_start(start_mse):
            raise
    return start, start_mse
