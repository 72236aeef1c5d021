"""PairRule: sons are made as their source was."""

import pytest
import torch

from tests.parts.zssr_pictures import load, noised, psnr_db, quick, texture
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.ops.dihedral import dihedral, dihedrals
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.rounds import new_network

NOISY = Degradation(noise_std=10.0)


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


def test_network_sees_cleaned_sons() -> None:
    """As it will see the cleaned source: most of the noise is gone, not all."""
    father = load("butterfly_hr.png")
    clean, rule = PairRule(scale=2.0).lr_son(father), PairRule(scale=2.0, degradation=NOISY)
    son = rule.lr_son(father, rule.noise_generator())
    assert psnr_db(noised(clean, 10), clean) + 1 < psnr_db(son, clean) < 45


@pytest.mark.parametrize("index", dihedrals((2.0, 4.0)))
def test_shrinking_by_a_pair_commutes_with_its_transformations(index: int) -> None:
    """Those that keep the axes; so pairs may be transformed instead of fathers."""
    image, rule = texture(32, 48), PairRule(scale=(2.0, 4.0))
    turned = rule.lr_son(dihedral(image, index))
    expected = dihedral(rule.lr_son(image), index)
    torch.testing.assert_close(turned, expected, rtol=0, atol=0.004)


@pytest.mark.parametrize("variant", ["compact", "paper"])
@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5])
def test_rule_and_network_agree(variant: str, scale: float) -> None:
    """Pairs are centred and padded as the network of the same configuration needs it."""
    config = quick(model_variant=variant, scale_factor=scale, max_pass_scale=scale)
    network = new_network(torch.zeros(3, 1, 1), config, torch.Generator().manual_seed(0))
    rule = PairRule.of(config)
    assert (rule.unshuffle, rule.centre) == (network.unshuffle, network.centre)


def test_rule_follows_the_configuration_and_the_degradation() -> None:
    """What the configuration says of sons, and how their source was made."""
    rule = PairRule.of(quick(scale_factor=3.0, son_rounding=False, seed=7), NOISY)
    assert rule.scale == 2.0  # of one pass
    assert not rule.is_rounded
    assert rule.noise_seed == 7
    assert rule.degradation == NOISY
