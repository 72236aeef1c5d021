"""Estimating a kernel of free shape: the path of a shaken hand, from the image alone."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parts.kernels import gaussian
from tests.parts.zssr_pictures import load, psnr_db, quick
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.estimation.blur_estimate import estimate_blur
from zssr_daemon.zssr.estimation.free_kernel.free_kernel import (
    CLEARLY,
    FreeKernel,
    estimate_free_kernel,
)
from zssr_daemon.zssr.estimation.free_kernel.motion_path import MotionPath
from zssr_daemon.zssr.pipeline import super_resolve

TRUTH = load("butterfly_hr.png")

#: Bent, and slower at one end.
SHAKEN = MotionPath(np.array([[0.3, -0.9, 0.1], [1.9, 0.2, 0.2]]))


def shrunk(blur: Blur) -> Tensor:
    """Return the butterfly shrunk by 2 and rounded to 8 bits."""
    return blur.shrink(TRUTH, (128, 128), 2).clamp(0, 1).mul(255).round().div(255)


def drawn(path: MotionPath) -> Kernel:
    """Return a path's kernel for an image that is enlarged by 2."""
    return Kernel.of(path.weights((2, 2)))


def found_in(image: Tensor) -> FreeKernel | None:
    """Return what is found in an image after fixed shapes were tried."""
    return estimate_free_kernel(image, estimate_blur(image))


@pytest.mark.parametrize("path", [SHAKEN, SHAKEN.turned], ids=["upright", "turned"])
def test_path_of_a_shaken_hand_is_found(path: MotionPath) -> None:
    """With its form, its size, and the way round it lies."""
    found = found_in(shrunk(drawn(path)))
    assert found is not None
    assert found.evidence > CLEARLY
    assert found.path.likeness(path) > 0.9
    assert found.path.likeness(path.turned) < 0.7
    assert found.path.length == pytest.approx(path.length, rel=0.1)
    assert str(found) == f"moved along a path of {found.path.length:.2f} pixels"


def test_found_kernel_is_worth_about_as_much_as_the_true_one() -> None:
    """The same short fit with it comes out far better than with bicubic."""
    source = shrunk(drawn(SHAKEN))
    found = found_in(source)
    assert found is not None
    config = quick(back_projections=8)
    bicubic, estimated, true = (
        psnr_db(
            super_resolve(source, config, device="cpu", degradation=Degradation(blur=blur)).image,
            TRUTH,
        )
        for blur in (BICUBIC, found.kernel(2.0), drawn(SHAKEN))
    )
    assert estimated - bicubic > 0.6 * (true - bicubic) > 0


@pytest.mark.parametrize(
    "blur",
    [
        BICUBIC,
        Kernel.of(gaussian(13, 13, (4.5, 1.5), angle=0.6)),
        drawn(MotionPath(np.array([[0.0], [2.0]]))),
    ],
    ids=["sharp", "gaussian", "straight"],
)
def test_other_images_are_left_to_the_fixed_shapes(blur: Blur) -> None:
    """A path explains each of them a little better, and would do harm."""
    assert found_in(shrunk(blur)) is None


def test_what_shows_no_blur_shows_no_path() -> None:
    """An image without detail, and one smaller than a block of the spectrum."""
    assert found_in(torch.full((3, 64, 64), 0.5)) is None
    assert found_in(shrunk(drawn(SHAKEN))[:, :24, :24]) is None


def test_estimate_of_compressed_images_is_not_tried() -> None:
    """What compression left of the high frequencies is not enough."""
    source = shrunk(drawn(SHAKEN))
    assert estimate_free_kernel(source, estimate_blur(source, jpeg_quality=60)) is None


def test_kernel_grows_with_the_scale() -> None:
    """The centre of mass stays in the middle; x and y grow by their own scale."""
    found = FreeKernel(SHAKEN, 1.0)
    small, wide = found.kernel(2.0), found.kernel((4.0, 2.0))
    assert small.centre == pytest.approx([(side - 1) / 2 for side in small.weights.shape], abs=1e-3)
    assert wide.weights.shape[0] == small.weights.shape[0]
    assert wide.weights.shape[1] > 1.5 * small.weights.shape[1]
