"""Later passes: fitted on to what the passes before them make, and never at a loss."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.parts.zssr_pictures import load, noised, quick, run, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.inference.passes import all_passes
from zssr_daemon.zssr.inference.strips import whole_pass
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.training.attempts import attempts_in_turn, fit_guarded
from zssr_daemon.zssr.training.earlier_passes import EarlierPasses
from zssr_daemon.zssr.training.guard import Guard
from zssr_daemon.zssr.training.later_passes import fit_later_passes
from zssr_daemon.zssr.training.pair_rule import PairRule

TWO_PASSES = quick(num_epochs=800, scale_times=2)
CPU = torch.device("cpu")


def fitted_first(picture: Tensor, config: ZSSRConfig) -> FittedNetwork:
    """Return the network of the first pass."""
    rule, progress = PairRule.of(config), Progress(None, total_work=1.0)
    guard = Guard([picture], rule, back_projections=config.back_projections)
    attempts = attempts_in_turn(config, rule, CPU, None)
    fitted = fit_guarded([picture], guard, attempts, Memory(config), progress).fitted
    assert fitted is not None
    return fitted


def rule_of_second(first: FittedNetwork) -> PairRule:
    """Return the rule of the pairs of the second pass."""
    steps = tuple(all_passes(first.config))
    earlier = EarlierPasses(steps=steps[:1], networks=(first,), total=steps[1].reached)
    return replace(PairRule.of(first.config), earlier=earlier)


@pytest.fixture(scope="module")
def picture() -> Tensor:
    """Return a small photograph."""
    return load("butterfly_lr.png")[:, 32:96, 32:96].contiguous()


@pytest.fixture(scope="module")
def first(picture: Tensor) -> FittedNetwork:
    """Return the network of its first pass, fitted once for all tests."""
    return fitted_first(picture, TWO_PASSES)


@pytest.mark.parametrize("scale", [3.0, 4.0])
def test_son_of_a_later_pass_is_a_result_of_the_earlier_one(
    first: FittedNetwork, picture: Tensor, scale: float
) -> None:
    """The father shrunk by the whole enlargement, then enlarged as inference does it."""
    config = replace(first.config, scale_times=1, scale_factor=scale)
    own = replace(first, config=replace(config, alias_guard=False))
    rule, step = rule_of_second(own), all_passes(config)[0]
    father = picture[:, :60, :60]
    source = replace(PairRule.of(config), scale=scale).lr_son(father)
    assert torch.equal(rule.lr_son(father), whole_pass(source[None], source[None], step, own)[0])
    pair = rule.pair(father)
    assert pair.shape == (6, 60, 60)
    torch.testing.assert_close(pair[:3] + rule.centre + pair[3:], father)


def test_later_network_knows_its_pass_better(first: FittedNetwork, picture: Tensor) -> None:
    """It rebuilds the source from the first pass's results better than the first network does."""
    before, second = fit_later_passes([picture], first, TWO_PASSES, PairRule.of(TWO_PASSES))
    assert before is first
    guard = Guard([picture], rule_of_second(first), back_projections=TWO_PASSES.back_projections)
    assert guard.network_mse(second) < guard.network_mse(first) < guard.bicubic_mse


def test_later_fit_that_dies_leaves_the_network_before(
    first: FittedNetwork, picture: Tensor
) -> None:
    """A rate that destroys any network costs that fit, and nothing else."""
    deadly = replace(TWO_PASSES, lr=10.0)
    _, second = fit_later_passes([picture], first, deadly, PairRule.of(deadly))
    for name, value in first.network.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value)


@pytest.mark.parametrize("size", [(1, 7), (3, 2), (5, 40), (40, 48)])
@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"scale_times": 1, "scale_factor": 3.0},
        {"scale_times": 1, "scale_factor": (4.0, 2.5)},
        {"scale_times": 3, "num_epochs": 150},
        {"tileable": "xy"},
        {"augmentation": "affine", "num_epochs": 100},
        {"budget": "seconds", "fit_budget_s": 0.2},
    ],
)
def test_pictures_of_any_size_pass(size: tuple[int, int], overrides: dict[str, Any]) -> None:
    """The iterations of all passes are those asked for; fractions rise to one."""
    tiny = {"num_epochs": 120, "model_width": 4, "model_depth": 2, "patch_size": 16}
    config = replace(TWO_PASSES, **(tiny | overrides))
    result, steps = run(texture(*size), config)
    assert result.image.isfinite().all()
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)
    if config.budget != "seconds" and not (result.is_fallback or result.restarts):
        assert result.iterations == config.num_epochs


@pytest.mark.parametrize("degradation", [Degradation(noise_std=6.0), Degradation(jpeg_quality=70)])
def test_spoilt_sources_have_later_passes(picture: Tensor, degradation: Degradation) -> None:
    """Their later sons are spoilt and cleaned as the source is; the same call, the same bytes."""
    source, config = noised(picture, degradation.noise_std), replace(TWO_PASSES, num_epochs=120)
    results = [
        super_resolve(source, config, device="cpu", degradation=degradation) for _ in range(2)
    ]
    assert torch.equal(results[0].image, results[1].image)
    assert not results[0].is_fallback
