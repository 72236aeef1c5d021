"""Estimating a blur: whether there was one, of what kind and size, from the image alone."""

import io
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.signal import convolve2d
from torch import Tensor

from tests.parts.kernels import gaussian
from tests.parts.zssr_pictures import load, psnr_db, quick
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.estimation.blur_estimate import estimate_blur
from zssr_daemon.zssr.pipeline import super_resolve

TRUTH = load("butterfly_hr.png")


def shrunk(blur: Blur, scale: int = 2) -> Tensor:
    """Return the butterfly, shrunk and rounded to 8 bits."""
    height, width = (side // scale for side in TRUTH.shape[1:])
    truth = TRUTH[:, : height * scale, : width * scale]
    return blur.shrink(truth, (height, width), scale).clamp(0, 1).mul(255).round().div(255)


def spread(kernel: Kernel) -> NDArray[np.float64]:
    """Return the covariance of a kernel, (y, x)."""
    places = [
        np.arange(side) - middle
        for side, middle in zip(kernel.weights.shape, kernel.centre, strict=True)
    ]
    y, x = np.meshgrid(*places, indexing="ij")
    weights = kernel.weights
    return np.array(
        [
            [(weights * y * y).sum(), (weights * y * x).sum()],
            [(weights * y * x).sum(), (weights * x * x).sum()],
        ]
    )


def drawn_disk(radius: float) -> NDArray[np.float64]:
    """Return a lens out of focus, drawn with 20 points a pixel."""
    at = (np.arange(9 * 20) + 0.5) / 20 - 4.5
    inside = np.hypot(at[:, None], at) <= radius
    return np.asarray(inside.reshape(9, 20, 9, 20).mean(axis=(1, 3)))


def drawn_motion(y: float, x: float) -> NDArray[np.float64]:
    """Return a straight motion, each point in the nearest of 20 fine pixels a pixel."""
    fine = np.zeros((11 * 20, 11 * 20))
    for along in np.linspace(-0.5, 0.5, 2000):
        fine[round(110 + along * y * 20), round(110 + along * x * 20)] += 1
    return np.asarray(fine.reshape(11, 20, 11, 20).sum(axis=(1, 3)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_bicubic_shrank_is_not_blurred(scale: int) -> None:
    """At any scale: a blur that is not there would cost far more than one that is missed."""
    found = estimate_blur(shrunk(BICUBIC, scale))
    assert found.shape == "bicubic"
    assert found.kernel(2.0) is None
    assert found.gain_db == 0


@pytest.mark.parametrize("scale", [2, 3])
def test_gaussian_is_measured(scale: int) -> None:
    """Its size to a third, its long axis to 15 degrees, in pixels of the enlarged image."""
    grown = (scale / 2) ** 2
    truth = Kernel.of(gaussian(19, 19, (4.5 * grown, 1.5 * grown), angle=0.6))
    found = estimate_blur(shrunk(truth, scale))
    assert (found.shape, found.why) == ("gaussian", "blurred")
    kernel = found.kernel(scale)
    assert kernel is not None
    measured, expected = spread(kernel), spread(truth)
    assert 2 / 3 < np.trace(measured) / np.trace(expected) < 4 / 3
    angles = []
    for covariance in (measured, expected):
        y, x = np.linalg.eigh(covariance).eigenvectors[:, 1]
        angles.append(math.degrees(math.atan2(y, x)))
    assert abs((angles[0] - angles[1] + 90) % 180 - 90) < 15


def test_lens_out_of_focus_is_told_from_a_gaussian() -> None:
    """By the frequencies it takes out; the radius is right to a tenth."""
    found = estimate_blur(shrunk(Kernel.of(drawn_disk(2.9))))
    assert found.shape == "disk"
    assert abs(found.parameters[0]) * 2 == pytest.approx(2.9, rel=0.1)


def test_soft_disk_is_told_from_a_gaussian() -> None:
    """A lens out of focus takes frequencies out even where all is a little soft besides."""
    soft = convolve2d(drawn_disk(2.9), gaussian(7, 7, (0.4, 0.4)))
    found = estimate_blur(shrunk(Kernel.of(soft)))
    assert found.shape == "disk"
    assert abs(found.parameters[0]) * 2 == pytest.approx(2.9, rel=0.15)


def test_motion_is_found_with_its_length_and_direction() -> None:
    """Either end may be the first."""
    found = estimate_blur(shrunk(Kernel.of(drawn_motion(2.0, 6.0))))
    assert found.shape == "motion"
    y, x = found.parameters * 2 * math.copysign(1, found.parameters[1])
    assert (y, x) == pytest.approx((2.0, 6.0), abs=0.6)
    assert "moved by" in str(found)


def test_kernel_grows_with_the_scale() -> None:
    """The same image enlarged twice as much has a blur of twice the width; x and y by their own."""
    found = estimate_blur(shrunk(Kernel.of(gaussian(13, 13, (3.0, 3.0)))))
    small, large, wide = (found.kernel(scale) for scale in (2.0, 4.0, (4.0, 2.0)))
    assert small is not None and large is not None and wide is not None
    assert np.trace(spread(large)) == pytest.approx(4 * np.trace(spread(small)), rel=0.05)
    assert spread(wide)[0, 0] == pytest.approx(spread(small)[0, 0], rel=0.05)
    assert spread(wide)[1, 1] == pytest.approx(spread(large)[1, 1], rel=0.05)


@pytest.mark.parametrize("shape", ["gaussian", "disk", "motion"])
def test_kernels_are_drawn_about_their_middle(shape: str) -> None:
    """Odd sides, and as much on one side as on the other, so that nothing is moved."""
    kernels = {
        "gaussian": gaussian(13, 13, (4.0, 2.0), 0.5),
        "disk": drawn_disk(2.9),
        "motion": drawn_motion(2.0, 6.0),
    }
    found = estimate_blur(shrunk(Kernel.of(kernels[shape])))
    assert found.shape == shape
    kernel = found.kernel((2.0, 3.0))
    assert kernel is not None
    assert kernel.weights.sum() == pytest.approx(1)
    assert kernel.centre == pytest.approx([(side - 1) / 2 for side in kernel.weights.shape])


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (torch.rand(3, 31, 200, generator=torch.Generator().manual_seed(0)), "too_small"),
        (torch.full((1, 64, 64), 0.5), "no_detail"),
        (torch.linspace(0, 1, 64 * 64).reshape(1, 64, 64).mul(255).round().div(255), "no_detail"),
        (TRUTH.mul(0.04).mul(255).round().div(255), "no_detail"),
        (torch.rand(1, 1, 1, generator=torch.Generator().manual_seed(0)), "too_small"),
    ],
)
def test_image_that_tells_nothing_is_taken_for_sharp(image: Tensor, why: str) -> None:
    """Too small for a block, one colour, or a slope: the reason is told."""
    found = estimate_blur(image)
    assert (found.shape, found.why) == ("bicubic", why)


def test_estimate_is_repeatable_and_sees_grey_as_colour() -> None:
    """The same picture gives the same kernel, bit for bit, whether grey or three equal channels."""
    grey = shrunk(Kernel.of(gaussian(13, 13, (3.0, 2.0)))).mean(dim=0, keepdim=True)
    kernels = [estimate_blur(image).kernel(2.0) for image in (grey, grey.clone())]
    assert kernels[0] is not None and kernels[1] is not None
    assert kernels[0].sha256 == kernels[1].sha256
    coloured = estimate_blur(grey.expand(3, -1, -1)).kernel(2.0)
    assert coloured is not None
    assert coloured.weights == pytest.approx(kernels[0].weights, abs=1e-3)


def test_noise_that_is_known_does_not_pass_for_sharpness() -> None:
    """It would look like detail that no blur of this size has left."""
    truth = Kernel.of(gaussian(13, 13, (4.0, 4.0)))
    noise = torch.randn(3, 128, 128, generator=torch.Generator().manual_seed(1)) * 5 / 255
    noisy = (shrunk(truth) + noise).clamp(0, 1)
    found = estimate_blur(noisy, noise_std=5.0)
    assert found.shape == "gaussian"
    kernel = found.kernel(2.0)
    assert kernel is not None
    assert np.trace(spread(kernel)) == pytest.approx(8.0, rel=0.3)


@pytest.mark.slow
def test_estimated_kernel_is_worth_decibels() -> None:
    """A short fit with it beats one that takes the blurred picture for a shrunken one by 2 dB."""
    source = shrunk(Kernel.of(gaussian(11, 11, (4.0, 2.0), 0.5)))
    kernel = estimate_blur(source).kernel(2.0)
    assert kernel is not None
    config = quick(num_epochs=200)
    with_it = super_resolve(source, config, device="cpu", degradation=Degradation(blur=kernel))
    without = super_resolve(source, config, device="cpu")
    assert psnr_db(with_it.image, TRUTH) > psnr_db(without.image, TRUTH) + 2


def compressed(image: Tensor, quality: int) -> Tensor:
    """Return what a JPEG file makes of the picture."""
    pixels = image.mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as picture:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float().div(255)


@pytest.mark.parametrize("quality", [75, 85, 92])
def test_blur_is_seen_through_jpeg(quality: int) -> None:
    """By the frequencies that the rounding of a JPEG did not drown; shapes are told worse."""
    truth = Kernel.of(gaussian(13, 13, (4.0, 4.0)))
    found = estimate_blur(compressed(shrunk(truth), quality), jpeg_quality=quality)
    kernel = found.kernel(2.0)
    assert kernel is not None
    assert 0.6 < np.trace(spread(kernel)) / np.trace(spread(truth)) < 1.4


@pytest.mark.parametrize("quality", [75, 85, 92])
def test_jpeg_does_not_pass_for_a_blur(quality: int) -> None:
    """What it takes from a sharp picture is not taken for what a lens took."""
    found = estimate_blur(compressed(shrunk(BICUBIC), quality), jpeg_quality=quality)
    assert found.kernel(2.0) is None


def test_strong_jpeg_is_not_asked_about_a_blur() -> None:
    """Below quality 75, and where the rounding leaves too few frequencies, nobody looks."""
    source = shrunk(Kernel.of(gaussian(13, 13, (4.0, 4.0))))
    assert estimate_blur(compressed(source, 74), jpeg_quality=74).why == "compressed"
    faint = source.mul(0.1).mul(255).round().div(255)
    assert estimate_blur(compressed(faint, 75), jpeg_quality=75).why == "compressed"


def dot() -> Tensor:
    """Return one white pixel on black."""
    image = torch.zeros(1, 64, 64)
    image[0, 32, 32] = 1
    return image


@pytest.mark.parametrize(
    "image",
    [
        dot(),
        (torch.rand(3, 200, 300, generator=torch.Generator().manual_seed(0)) > 0.5).float(),
        ((torch.arange(64)[:, None] + torch.arange(64)) % 2).float()[None],
        (torch.arange(64) >= 32).float().expand(1, 64, 64),
    ],
    ids=["dot", "noise of two levels", "checkerboard", "edge"],
)
def test_pictures_of_no_world_are_taken_for_sharp(image: Tensor) -> None:
    """What no blur can have made is not explained by a tiny one."""
    assert estimate_blur(image).kernel(2.0) is None
