"""The guard: it judges a network by the image rebuilt from its own son."""

import numpy as np
import torch

from tests.parts.kernels import gaussian
from tests.parts.zssr_pictures import load, quick, texture
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.training.guard import Guard
from zssr_daemon.zssr.training.pair_rule import PairRule


def test_guard_and_sons_go_down_by_the_kernel() -> None:
    """A wider blur loses more, so the guard must see a larger error."""
    image, config = load("butterfly_lr.png"), quick()
    wide, plain = (
        Guard([image], PairRule.of(config, each), back_projections=config.back_projections)
        for each in (Degradation(blur=Kernel.of(gaussian(15, 15, (6.0, 6.0)))), IDEAL)
    )
    assert wide.bicubic_mse > 1.5 * plain.bicubic_mse
    sharp = Degradation(blur=Kernel.of(np.ones((1, 1)), "topleft"))
    son = PairRule(scale=2.0, degradation=sharp).lr_son(image)
    torch.testing.assert_close(son, image[:, ::2, ::2], rtol=0, atol=0.5 / 255)


def test_fits_must_gain_and_starts_may_lack_a_little() -> None:
    """What was fitted to the image must beat bicubic; what was not may be 0.1 dB below it."""
    config = quick()
    rule = PairRule.of(config, IDEAL)
    guard = Guard([texture(32, 32)], rule, back_projections=config.back_projections)

    def mse(gain_db: float) -> float:
        return guard.bicubic_mse * 10 ** (-gain_db / 10)

    assert [guard.is_alive(mse(gain)) for gain in (0.03, 0.01, 0.0)] == [True, False, False]
    assert [guard.is_good_start(mse(gain)) for gain in (0.0, -0.09, -0.11)] == [True, True, False]
    assert not guard.is_alive(float("nan"))
    assert not guard.is_good_start(float("nan"))
