"""Attempts: warm starts never at a loss, and refits where a fit fails."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.parts.zssr_pictures import PAPER, floor_of, load, psnr_db, quick, run, texture
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.pipeline import SuperResolved, super_resolve
from zssr_daemon.zssr.scale import Scale, scaled_size
from zssr_daemon.zssr.training.weights import Weights

CONFIG = quick(num_epochs=200, warm_num_epochs=20)


def fit(seed: int, weights: Weights | None = None) -> SuperResolved:
    """Enlarge one of many similar pictures."""
    return super_resolve(texture(48, 48, seed=seed), CONFIG, device="cpu", initial_weights=weights)


@pytest.fixture(scope="module")
def first() -> Weights:
    """Return the weights of one picture, fitted once for all tests."""
    weights = fit(1).weights
    assert weights is not None
    return weights


def network_db(result: SuperResolved) -> float:
    """Return how well the network rebuilds its image."""
    assert result.psnr_network_db is not None
    return result.psnr_network_db


def test_warm_fit_of_few_iterations_comes_close_to_a_cold_one_of_many(first: Weights) -> None:
    """A tenth of the iterations, and far better than as few from chance."""
    warm, cold = fit(2, first), fit(2)
    few = super_resolve(texture(48, 48, seed=2), quick(num_epochs=20), device="cpu")
    assert warm.is_warm
    assert not cold.is_warm
    assert (warm.iterations, cold.iterations, warm.restarts) == (20, 200, 0)
    assert network_db(warm) > network_db(few)
    assert network_db(warm) > network_db(cold) - 0.3


def test_weights_that_do_not_help_cost_a_short_cold_fit(first: Weights) -> None:
    """Not above bicubic, neither fitted nor alone: a cold fit of as few iterations, bit for bit."""
    noise = torch.Generator().manual_seed(0)
    useless = Weights(
        first.key,
        {name: torch.randn(value.shape, generator=noise) for name, value in first.state.items()},
    )
    saved = fit(2, useless)
    cold = super_resolve(texture(48, 48, seed=2), quick(num_epochs=20), device="cpu")
    assert not saved.is_warm
    assert (saved.start, saved.start_sha256) == (None, None)
    assert (saved.restarts, saved.iterations) == (1, 20 + 20)
    assert torch.equal(saved.image, cold.image)


def test_fit_that_dies_gives_its_weights_back(first: Weights) -> None:
    """A rate that destroys any network costs the fit, not the start: no fit from chance follows."""
    config = replace(CONFIG, lr=10.0, warm_num_epochs=60)
    result = super_resolve(texture(48, 48, seed=2), config, device="cpu", initial_weights=first)
    assert (result.is_warm, result.restarts, result.is_fallback) == (True, 0, False)
    assert result.weights is not None
    assert result.weights.sha256 == first.sha256
    assert result.psnr_bicubic_db is not None
    assert network_db(result) > result.psnr_bicubic_db


def test_fit_that_ends_below_its_start_gives_the_start_back(first: Weights) -> None:
    """The better of the two by the image rebuilt from its son, also where both are alive."""
    picture = texture(48, 48, seed=1)  # the very picture that these weights were fitted to
    config = replace(CONFIG, lr=0.05, warm_num_epochs=2)
    result = super_resolve(picture, config, device="cpu", initial_weights=first)
    assert result.weights is not None
    assert result.weights.sha256 == first.sha256
    assert network_db(result) == pytest.approx(network_db(fit(1)), abs=1e-6)


def test_start_no_better_than_bicubic_is_used_without_a_fit(first: Weights) -> None:
    """After one iteration no fit is alive; weights that are as good as bicubic are not refused."""
    plain = Weights(first.key, {name: 0 * value for name, value in first.state.items()})
    config = replace(CONFIG, warm_num_epochs=1)
    result = super_resolve(texture(48, 48), config, device="cpu", initial_weights=plain)
    assert (result.is_warm, result.iterations, result.restarts) == (True, 1, 0)
    assert result.weights is not None
    assert result.weights.sha256 == plain.sha256
    assert network_db(result) == result.psnr_bicubic_db


def test_result_carries_weights_that_survive_their_bytes(first: Weights) -> None:
    """Saved, read and fitted on: the same bytes as without the detour."""
    again = Weights.from_bytes(first.to_bytes())
    assert torch.equal(fit(2, first).image, fit(2, again).image)


def test_initial_weights_are_not_changed(first: Weights) -> None:
    """The caller may use them for the next image, too."""
    before = first.sha256
    config = replace(CONFIG, warm_num_epochs=200)
    second = super_resolve(texture(48, 48, seed=2), config, device="cpu", initial_weights=first)
    assert first.sha256 == before
    assert second.weights is not None
    assert second.weights.sha256 != before


def test_fallback_has_no_weights(first: Weights) -> None:
    """Nothing was learnt, so nothing is handed on; given weights do not change that."""
    flat = torch.full((3, 20, 20), 0.2)
    result = super_resolve(flat, CONFIG, device="cpu", initial_weights=first)
    assert result.is_fallback
    assert not result.is_warm
    assert result.weights is None


@pytest.mark.slow
def test_warm_fit_on_a_photograph_gains_over_bicubic(first: Weights) -> None:
    """Even from weights of mere blobs, and never below the guard's line."""
    source, truth = load("butterfly_lr.png"), load("butterfly_hr.png")
    result = super_resolve(source, CONFIG, device="cpu", initial_weights=first)
    assert psnr_db(result.image, truth) > 24.5
    assert not result.is_fallback


def test_diverging_fit_is_refitted_twice_then_bicubic_is_delivered() -> None:
    """A learning rate of 10 destroys any network; the result is bicubic and says so."""
    image = texture(40, 40)
    config = quick(lr=10.0, num_epochs=60)
    result, steps = run(image, config)
    assert result.is_fallback
    assert result.restarts == 2
    assert result.iterations > 60
    assert torch.equal(floor_of(image, config), result.image)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)


def test_failed_fit_can_be_saved_by_the_refit() -> None:
    """A rate that kills the first fit and not a later one ends with a network."""
    image = texture(40, 40)
    result, _ = run(image, quick(lr=0.1, num_epochs=60))
    assert not result.is_fallback
    assert result.restarts > 0


@pytest.mark.parametrize("overrides", [{}, PAPER], ids=["compact", "paper"])
@pytest.mark.parametrize("scale", [2.0, (2.0, 3.0)])
def test_a_huge_rate_ends_with_bicubic(overrides: dict[str, Any], scale: Scale) -> None:
    """Never with noise: whatever dies or diverges is replaced, and said to be."""
    image = texture(40, 40)
    config = quick(scale_factor=scale, lr=10.0, num_epochs=60, back_projections=3, **overrides)
    result = super_resolve(image, config, device="cpu")
    assert result.is_fallback
    floor = resize(image[None], scaled_size((40, 40), scale), scale)
    expected = back_project(floor, image[None], scale, 3)[0]
    assert torch.equal(expected, result.image)
