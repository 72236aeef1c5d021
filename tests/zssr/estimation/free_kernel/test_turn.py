"""Turn: a picture shows which way round its kernel lies."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parts.zssr_pictures import load
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.estimation.free_kernel.motion_path import MotionPath
from zssr_daemon.zssr.estimation.free_kernel.turn import turn_evidence
from zssr_daemon.zssr.ops.luma import luma

WEIGHTS = MotionPath(np.array([[0.3, -0.9, 0.1], [1.9, 0.2, 0.2]])).weights((2, 2))


@pytest.fixture(scope="module")
def shaken() -> Tensor:
    """Return the luma of the butterfly, (128, 128), moved along a bent path and shrunk by 2."""
    return luma(Kernel.of(WEIGHTS).shrink(load("butterfly_hr.png"), (128, 128), 2).clamp(0, 1))


def test_image_tells_a_kernel_from_the_same_turned(shaken: Tensor) -> None:
    """The evidence has the same strength either way."""
    upright = turn_evidence([shaken], WEIGHTS)
    turned = turn_evidence([shaken], WEIGHTS[::-1, ::-1])
    assert upright > 2
    assert turned == pytest.approx(-upright, rel=0.01)


def test_regions_of_an_image_tell_it_together(shaken: Tensor) -> None:
    """Those with most detail; one of a single colour is passed over."""
    regions = [part for half in shaken.tensor_split(2) for part in half.tensor_split(2, dim=1)]
    flat = torch.full((64, 64), 0.5)
    assert turn_evidence(regions, WEIGHTS) > 2
    assert turn_evidence([flat, *regions], WEIGHTS) == turn_evidence(regions, WEIGHTS)


def test_kernel_that_is_its_own_turn_gives_no_evidence(shaken: Tensor) -> None:
    """Neither way round is the likelier."""
    assert turn_evidence([shaken], np.ones((1, 3)) / 3) == 0
