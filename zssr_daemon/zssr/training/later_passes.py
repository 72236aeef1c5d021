"""Later passes: each has a network of its own, fitted on to what the passes before it make.

The gradual increase of the paper (arXiv 1712.06087, section 3.2): the network of a later pass also
learns from larger fathers, and its sons are the results of the earlier passes, not clean pixels.
"""

from dataclasses import replace

from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.inference.passes import all_passes
from zssr_daemon.zssr.training.attempts import fit_within_memory, warm_lr
from zssr_daemon.zssr.training.budget import split_budget
from zssr_daemon.zssr.training.earlier_passes import EarlierPasses
from zssr_daemon.zssr.training.fit import DivergedError
from zssr_daemon.zssr.training.guard import Guard
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.rounds import Attempt, iteration_work, own_fathers, own_fathers_work
from zssr_daemon.zssr.training.weights import Weights


def fit_later_passes(
    parts: list[Tensor],
    first: FittedNetwork,
    config: ZSSRConfig,
    rule: PairRule,
) -> tuple[FittedNetwork, ...]:
    """Return the network of each pass: `first`, then those that are fitted on from it.

    parts: (C, h, w) float32 in [0, 1], of the source; rule: of the first pass on them.
    config: as `split_budget` takes it. A fit that makes nothing better leaves its pass the network
    of the pass before.
    """
    steps = tuple(all_passes(config))
    _, later = split_budget(config)
    if later is None:
        return (first,) * len(steps)
    fathers = parts + own_fathers(parts, first)
    networks = [first]
    for number, step in enumerate(steps[1:], start=1):
        earlier = EarlierPasses(steps=steps[:number], networks=tuple(networks), total=step.reached)
        networks.append(
            _fitted_on(networks[-1], parts, fathers, later, replace(rule, earlier=earlier))
        )
    return tuple(networks)


def later_work(parts: list[Tensor], config: ZSSRConfig, rule: PairRule) -> float:
    """Return about the arithmetic of `fit_later_passes` in output pixels passed forward."""
    _, later = split_budget(config)
    if later is None:
        return 0.0
    count = len(all_passes(config)) - 1
    fits = count * later.num_epochs * iteration_work(later)
    return fits + own_fathers_work(parts, later, rule.blur)


def _fitted_on(
    before: FittedNetwork,
    parts: list[Tensor],
    fathers: list[Tensor],
    config: ZSSRConfig,
    rule: PairRule,
) -> FittedNetwork:
    """Return a network for a later pass, fitted on from that of the pass before, or that one."""
    guard = Guard(parts, rule, back_projections=config.back_projections)
    attempt = Attempt(
        config=config,
        rule=rule,
        lr=warm_lr(config),
        seed=config.seed,
        is_bf16=before.is_bf16,
        initial_weights=Weights.of(before.network, network_key(config, parts[0].shape[0])),
    )
    try:
        fitted, _ = fit_within_memory(fathers, guard, attempt, before.memory, before.progress)
    except DivergedError:
        return before
    return fitted
