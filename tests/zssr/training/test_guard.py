"""The guard: it judges a network by the image rebuilt from its own son."""

import numpy as np
import torch

from tests.parts.kernels import gaussian
from tests.parts.zssr_pictures import load, quick
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
