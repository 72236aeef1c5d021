"""Trainer: trains on drawn pictures, and stops and resumes without a trace."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.parts.starts import add_start, unfitted
from zssr_daemon.zssr.network import input_centre
from zssr_daemon.zssr.ops.luma import luma
from zssr_daemon.zssr.start import trainer as trainer_module
from zssr_daemon.zssr.start.picture_pool import (
    PicturePool,
    degradation_of_picture,
    drawn_picture,
)
from zssr_daemon.zssr.start.recipe import Recipe
from zssr_daemon.zssr.start.shipped import shipped_starts
from zssr_daemon.zssr.start.trainer import Trainer
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.pair_rule import PairRule

SHIPPED = {start.name: start for start in shipped_starts()}

TINY = Recipe(
    width=4,
    depth=2,
    channels=3,
    side=48,
    pool=3,
    renewal=4,
    iterations=20,
    batch_size=2,
    crop_size=16,
)


def trained(recipe: Recipe, iterations: int) -> Trainer:
    """Return a trainer after so many iterations."""
    trainer = Trainer(recipe)
    trainer.run(iterations)
    return trainer


def test_training_teaches_what_bicubic_lost() -> None:
    """Some iterations predict a good part of it, in a picture never seen."""
    recipe = replace(TINY, width=8, depth=3, pool=8, iterations=150, batch_size=8, lr=4e-3)
    trainer = trained(recipe, 150)
    trainer.weights().apply(trainer.network)
    rule = PairRule.of(recipe.config)
    unseen = torch.stack([rule.pair(drawn_picture(recipe, 1_000 + each)) for each in range(6)])
    inputs, residual = unseen.chunk(2, dim=1)
    with torch.no_grad():
        left = residual - trainer.network(inputs)
    assert left.square().mean() < 0.9 * residual.square().mean()


def test_start_for_jpegs_learns_from_compressed_sons() -> None:
    """Each picture has a quality of its own, the same whenever it is drawn again."""
    recipe = replace(TINY, qualities=(30, 40))
    found = [degradation_of_picture(recipe, number) for number in range(40)]
    assert found == [degradation_of_picture(recipe, number) for number in range(40)]
    assert {each.jpeg_quality for each in found} == set(range(30, 41))
    assert {each.jpeg_tables.shrunk for each in found if each.jpeg_tables} == {(1, 1), (2, 2)}
    assert Recipe.of(json.loads(json.dumps(recipe.values))) == recipe
    inputs, _ = PicturePool(recipe, torch.float32).sample(torch.Generator().manual_seed(0))
    clean, _ = PicturePool(TINY, torch.float32).sample(torch.Generator().manual_seed(0))
    assert (inputs - clean).abs().mean() > 0.01


def test_start_for_noisy_sources_learns_from_cleaned_sons() -> None:
    """Each picture has noise of its own strength, and of its own grain."""
    recipe = replace(TINY, noises=(2.0, 8.0))
    strengths = [degradation_of_picture(recipe, number).noise_std for number in range(200)]
    assert strengths == [degradation_of_picture(recipe, each).noise_std for each in range(200)]
    assert 2 <= min(strengths) < 2.2
    assert 7.3 < max(strengths) <= 8
    assert sorted(strengths)[100] == pytest.approx(4, rel=0.2)  # weak noise is as often as strong
    assert Recipe.of(json.loads(json.dumps(recipe.values))) == recipe
    inputs, _ = PicturePool(recipe, torch.float32).sample(torch.Generator().manual_seed(0))
    clean, _ = PicturePool(TINY, torch.float32).sample(torch.Generator().manual_seed(0))
    assert 0.001 < (inputs - clean).abs().mean() < 0.05


def test_training_goes_on_from_a_shipped_start() -> None:
    """One that is named in the recipe is what the network is before the first iteration."""
    start = SHIPPED["rgb-64x8"]
    recipe = replace(TINY, width=64, depth=8, begins_with=start.name)
    assert Trainer(recipe).weights().state.keys() == start.weights.state.keys()
    for name, value in Trainer(recipe).weights().state.items():
        assert torch.equal(value, start.weights.state[name])


def test_training_begins_with_the_start_as_it_is_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make starts` writes several, and some of them begin with one that it has just made."""
    monkeypatch.setattr(trainer_module, "shipped_folder", lambda: tmp_path)
    recipe = replace(TINY, begins_with="tiny")
    for seed in (0, 1):
        made = unfitted(TINY.config, seed=seed)
        add_start(tmp_path, made)
        for name, value in Trainer(recipe).weights().state.items():
            assert torch.equal(value, made.state[name].half().float())


@pytest.mark.parametrize("scale", [3.0, 4.0])
def test_training_for_another_scale_takes_the_layers_between(scale: float) -> None:
    """First and last convolution have other channels; they begin with chance."""
    recipe = replace(TINY, width=64, depth=8, scale=scale, begins_with="rgb-64x8")
    before = SHIPPED["rgb-64x8"].weights.state
    begun, fresh = (
        Trainer(each).weights().state for each in (recipe, replace(recipe, begins_with=None))
    )
    outer = {"layers.0.weight", "layers.7.weight", "layers.7.bias"}
    for name, value in begun.items():
        assert torch.equal(value, fresh[name] if name in outer else before[name])


def test_resumed_training_ends_with_the_same_weights() -> None:
    """Stopped anywhere, also between two new pictures: the very same bytes."""
    whole = trained(TINY, TINY.iterations)
    state = trained(TINY, 10).state_dict()
    resumed = Trainer(TINY)
    resumed.load_state_dict(state)
    resumed.run(TINY.iterations)
    assert resumed.is_done
    assert resumed.weights().sha256 == whole.weights().sha256


def test_state_is_of_the_moment() -> None:
    """Training on does not change a state that was taken before."""
    trainer = trained(TINY, 4)
    state = trainer.state_dict()
    before = state["network"]["layers.0.weight"].clone()
    trainer.run(4)
    assert torch.equal(state["network"]["layers.0.weight"], before)


def test_seed_decides() -> None:
    """Another seed: other pictures and other weights."""
    other = trained(replace(TINY, seed=2), 4).weights()
    assert other.sha256 != trained(TINY, 4).weights().sha256


def test_weights_fit_a_fit_of_that_network() -> None:
    """Their key is that of the architecture, channels and scale, and they are finite."""
    weights = trained(replace(TINY, channels=1), 3).weights()
    assert weights.key == network_key(TINY.config, 1)
    assert all(bool(value.isfinite().all()) for value in weights.state.values())


def test_rate_rises_and_falls() -> None:
    """Up to its peak in the warm-up, down to its end at the last iteration."""
    trainer = Trainer(replace(TINY, iterations=1000, warm_up=0.1))
    rates = []
    for trainer.iteration in range(1000):
        rates.append(trainer.rate())
    assert max(rates) == pytest.approx(TINY.lr)
    assert rates.index(max(rates)) == pytest.approx(100, abs=1)
    assert rates[-1] == pytest.approx(TINY.lr_stop)
    assert rates[100:] == sorted(rates[100:], reverse=True)


def test_pool_is_renewed_one_by_one() -> None:
    """After some renewals it is what a pool begun then would be."""
    renewed = PicturePool(TINY, torch.float32)
    for _ in range(5):
        renewed.renew()
    begun = PicturePool(TINY, torch.float32, drawn=5)
    crops = [pool.sample(torch.Generator().manual_seed(1)) for pool in (renewed, begun)]
    assert torch.equal(crops[0][0], crops[1][0])
    assert torch.equal(crops[0][1], crops[1][1])
    first = PicturePool(TINY, torch.float32).sample(torch.Generator().manual_seed(1))
    assert not torch.equal(first[0], crops[0][0])


def test_crops_add_up_to_the_picture() -> None:
    """Enlarged son and residual together are the drawn picture, on the network's grid."""
    recipe = replace(TINY, pool=1, crop_size=TINY.side, batch_size=1)
    inputs, residual = PicturePool(recipe, torch.float32).sample(torch.Generator().manual_seed(0))
    pixels = (inputs + residual + input_centre())[0].flatten().sort().values
    expected = drawn_picture(recipe, 0).flatten().sort().values
    assert torch.allclose(pixels, expected, atol=1e-5)


def test_grey_pictures_are_the_luma_of_the_same_row() -> None:
    """One row of pictures for both."""
    colour = drawn_picture(TINY, 7)
    assert torch.equal(drawn_picture(replace(TINY, channels=1), 7), luma(colour)[None])
