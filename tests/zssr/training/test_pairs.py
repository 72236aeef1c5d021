"""Pairs: what the network is shown."""

import pytest
import torch

from tests.parts.zssr_pictures import load, texture
from zssr_daemon.zssr.ops.dihedral import dihedral, dihedral_inverse
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.pairs import PairPool


def pool_of(image: torch.Tensor, *, scale: float = 2.0, crop_size: int = 32) -> PairPool:
    """Return the pool of one father."""
    return PairPool([image], PairRule(scale=scale), crop_size=crop_size, dtype=torch.float32)


@pytest.mark.parametrize("index", range(8))
def test_dihedral_inverse_undoes_dihedral(index: int) -> None:
    """The eight are invertible on images that are not square."""
    image = texture(6, 10)
    assert torch.equal(image, dihedral_inverse(dihedral(image, index), index))


def test_the_eight_dihedral_images_differ() -> None:
    """Eight, not four twice."""
    image = texture(8, 8)
    assert len({dihedral(image, index).numpy().tobytes() for index in range(8)}) == 8


@pytest.mark.parametrize("index", range(8))
def test_shrinking_commutes_with_the_eight(index: int) -> None:
    """So a transformed pair is the pair of a transformed father (scale divides)."""
    image, rule = texture(32, 48), PairRule(scale=2.0)
    expected = dihedral(rule.lr_son(image), index)
    turned = rule.lr_son(dihedral(image, index))
    torch.testing.assert_close(turned, expected, rtol=0, atol=0.004)


def test_son_is_rounded_to_eight_bits() -> None:
    """Real sources are."""
    son = PairRule(scale=2.0).lr_son(load("butterfly_lr.png")) * 255
    torch.testing.assert_close(son, son.round(), rtol=0, atol=1e-4)


def test_input_plus_residual_is_a_crop_of_a_father() -> None:
    """On the largest father, input and residual add up to pixels of the image."""
    image = load("butterfly_lr.png")
    inputs, residuals = pool_of(image, crop_size=128).sample(1, torch.Generator().manual_seed(0))
    restored = inputs[0] + 0.5 + residuals[0]
    closest = min(float((dihedral(image, index) - restored).abs().max()) for index in range(8))
    assert closest < 1e-6


def test_sampling_is_by_area_and_reproducible() -> None:
    """The same generator state draws the same crops, another one others."""
    pool = pool_of(load("butterfly_lr.png"))
    first, again, other = (
        pool.sample(4, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert tuple(first.shape) == (4, 3, 32, 32)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (3, 5), (5, 40), (33, 31)])
@pytest.mark.parametrize("scale", [2.0, 1.5])
def test_images_smaller_than_the_crop_give_smaller_crops(
    height: int, width: int, scale: float
) -> None:
    """A crop is square, on the unshuffle grid and no larger than the padded image."""
    inputs, residuals = pool_of(texture(height, width), scale=scale).sample(
        3, torch.Generator().manual_seed(0)
    )
    side = min(32, -(-min(height, width) // 2) * 2)
    assert (3, 3, side, side) == tuple(inputs.shape) == tuple(residuals.shape)


def test_input_is_the_enlarged_son() -> None:
    """What the network sees in training is made as what it sees at inference."""
    image = load("butterfly_lr.png")
    inputs, _ = pool_of(image, crop_size=128).sample(1, torch.Generator().manual_seed(0))
    enlarged = resize(PairRule(scale=2.0).lr_son(image), (128, 128), 2.0)
    closest = min(
        float((dihedral(enlarged, index) - 0.5 - inputs[0]).abs().max()) for index in range(8)
    )
    assert closest < 1e-6
