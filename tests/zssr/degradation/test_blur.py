"""Blur: a kernel lies where it should, whatever its size, and sons follow their fathers."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from tests.parts.kernels import gaussian, hook
from tests.parts.zssr_pictures import load, psnr_db, quick, texture
from zssr_daemon.zssr.config import KernelPhase
from zssr_daemon.zssr.degradation.blur import BICUBIC, MAX_SIDE, Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.ops.dihedral import dihedral, dihedrals, keeps_corner
from zssr_daemon.zssr.pipeline import Step, super_resolve
from zssr_daemon.zssr.scale import scaled_size
from zssr_daemon.zssr.training.weights import compatibility_key

DELTA = np.ones((1, 1))
SLANTED = gaussian(11, 11, (4.0, 0.8), angle=0.5)


def blob(size: int, centre: tuple[float, float], variance: float) -> torch.Tensor:
    """Return a Gaussian blob of height 1 at (y, x) on a (1, size, size) image."""
    at = torch.arange(size, dtype=torch.float64)
    rows, columns = (torch.exp(-((at - c) ** 2) / (2 * variance)) for c in centre)
    return (rows[:, None] * columns)[None].float()


@pytest.mark.parametrize("size", [(15, 15), (14, 14), (15, 14)])
@pytest.mark.parametrize("scale", [2.0, 3.0, 4.0, 1.5, 2.5])
@pytest.mark.parametrize("phase", ["centred", "topleft"])
def test_blurred_blob_is_the_wider_blob_at_the_right_place(
    size: tuple[int, int], scale: float, phase: KernelPhase
) -> None:
    """A Gaussian blurred by a Gaussian is known in closed form: variances add, nothing moves.

    Pixel j of the son lies at j * scale + (scale - 1) / 2 of the father, or at j * scale.
    """
    kernel = Kernel.of(gaussian(*size, (2.0, 2.0)), phase)
    father, centre = blob(60, (28.3, 31.6), 9.0), (28.3, 31.6)
    son = kernel.shrink(father, scaled_size((60, 60), 1 / scale), scale)
    offset = (scale - 1) / 2 if phase == "centred" else 0.0
    at = torch.arange(son.shape[-1], dtype=torch.float64) * scale + offset
    rows, columns = (torch.exp(-((at - c) ** 2) / (2 * 11.0)) for c in centre)
    expected = (9.0 / 11.0) * rows[:, None] * columns
    # A shift by half a pixel would differ by 0.07.
    torch.testing.assert_close(son[0].double(), expected, rtol=0, atol=0.004)


@pytest.mark.parametrize("scale", [1.5, 2.0, 3.0])
def test_centre_of_mass_decides_not_the_middle_of_the_file(scale: float) -> None:
    """Empty rows and columns around a kernel change nothing."""
    plain = gaussian(7, 8, (1.5, 1.0))
    padded = np.pad(plain, ((3, 0), (0, 6)))
    image = texture(31, 26)
    size = scaled_size((31, 26), 1 / scale)
    sons = [Kernel.of(each).shrink(image, size, scale) for each in (plain, padded)]
    torch.testing.assert_close(*sons, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("phase", "scale", "first"),
    [("topleft", 2, 0), ("topleft", 3, 0), ("topleft", 4, 0), ("centred", 3, 1), ("centred", 5, 2)],
)
def test_delta_kernel_is_plain_sub_sampling(phase: KernelPhase, scale: int, first: int) -> None:
    """Every scale-th pixel, from the first or from the middle of the first square."""
    image = texture(60, 120)
    son = Kernel.of(DELTA, phase).shrink(image, (60 // scale, 120 // scale), float(scale))
    torch.testing.assert_close(son, image[:, first::scale, first::scale], rtol=0, atol=1e-6)


def test_pair_of_scales_is_applied_to_its_own_axis() -> None:
    """A pair is (x, y)."""
    image = texture(30, 60)
    son = Kernel.of(DELTA, "topleft").shrink(image, (10, 30), (2.0, 3.0))
    torch.testing.assert_close(son, image[:, ::3, ::2], rtol=0, atol=1e-6)


def test_kernel_is_correlated_not_convolved() -> None:
    """One bright pixel becomes the kernel turned by 180 degrees."""
    image = torch.zeros(1, 1, 11)
    image[0, 0, 5] = 1
    kernel = Kernel.of(np.array([[2.0, 0.0, 0.0, 1.0]]), "topleft")  # its centre of mass is at 1
    expected = torch.zeros(11)
    expected[5 + 1], expected[5 - 2] = 2 / 3, 1 / 3
    torch.testing.assert_close(
        kernel.shrink(image, (1, 11), 1.0)[0, 0], expected, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("scale", [2.0, 3.0, 1.5])
def test_topleft_source_is_enlarged_where_its_pixels_lie(scale: float) -> None:
    """The enlarged image has the source's own pixels at multiples of the scale."""
    source = texture(20, 20)
    large = Kernel.of(DELTA, "topleft").enlarge(source, scaled_size((20, 20), scale), scale)
    step, every = (3, 2) if scale == 1.5 else (int(scale), 1)
    torch.testing.assert_close(
        large[:, ::step, ::step], source[:, ::every, ::every], rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (gaussian(13, 13, (2.0, 2.0)), tuple(range(8))),
        (gaussian(12, 12, (2.0, 2.0)), tuple(range(8))),
        (DELTA, tuple(range(8))),
        (SLANTED, (0, 2)),
        (gaussian(12, 12, (4.0, 0.8), angle=1.1), (0, 2)),
        (gaussian(11, 11, (4.0, 0.8)), (0, 2, 4, 6)),  # its axes are the image's
        (hook(), (0,)),
    ],
)
@pytest.mark.parametrize("phase", ["centred", "topleft"])
def test_ensemble_is_the_kernels_own_symmetries(
    weights: np.ndarray[Any, np.dtype[np.float64]], expected: tuple[int, ...], phase: KernelPhase
) -> None:
    """Isotropic: all 8; a slanted Gaussian: 0 and 180 degrees; motion: only as it is."""
    kernel = Kernel.of(weights, phase)
    assert kernel.members(2.0) == expected
    assert kernel.members((2.0, 3.0)) == tuple(i for i in expected if i in dihedrals((2.0, 3.0)))
    # A father may be flipped after its blur only if its first pixel stays the first.
    at_pairs = tuple(i for i in expected if phase == "centred" or keeps_corner(i))
    assert kernel.pair_turns(2.0) == at_pairs


def test_a_noisy_kernel_keeps_its_ensemble_and_not_its_pairs() -> None:
    """Measured kernels are never quite symmetric: about is enough at the end, not in training."""
    noise = 1 + 0.25 * np.random.default_rng(0).uniform(-1, 1, (11, 11))
    kernel = Kernel.of(SLANTED * noise)
    assert kernel.members(2.0) == (0, 2)
    assert kernel.pair_turns(2.0) == (0,)


@pytest.mark.parametrize("phase", ["centred", "topleft"])
@pytest.mark.parametrize("weights", [gaussian(9, 9, (2.0, 2.0)), SLANTED, hook()])
def test_pair_turns_commute_with_the_blur(
    weights: np.ndarray[Any, np.dtype[np.float64]], phase: KernelPhase
) -> None:
    """Of these, and of no others, a turned father's son is the turned son."""
    kernel, image = Kernel.of(weights, phase), texture(32, 32)
    son = kernel.shrink(image, (16, 16), 2.0)
    commuting = tuple(
        index
        for index in range(8)
        if torch.allclose(
            kernel.shrink(dihedral(image, index), (16, 16), 2.0), dihedral(son, index), atol=2e-3
        )
    )
    assert kernel.pair_turns(2.0) == commuting


@pytest.mark.parametrize("phase", ["centred", "topleft"])
@pytest.mark.parametrize("weights", [SLANTED, hook(), np.ones((1, 9)), np.ones((6, 6))])
def test_back_projection_goes_down_by_the_kernel(
    weights: np.ndarray[Any, np.dtype[np.float64]], phase: KernelPhase
) -> None:
    """The result comes to be what the kernel makes the source of; motion does not diverge."""
    kernel, source = Kernel.of(weights, phase), texture(21, 33)[None] * 0.6 + 0.2
    large = kernel.enlarge(source, (42, 66), 2.0)
    agreement = [
        psnr_db(
            kernel.shrink(back_project(large, source, 2.0, times, blur=kernel), (21, 33), 2.0),
            source,
        )
        for times in (0, 2, 8, 30)
    ]
    assert agreement == sorted(agreement)
    assert agreement[-1] > agreement[0] + 3


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (np.zeros((3, 3)), "adds up"),
        (-np.ones((3, 3)), "adds up"),
        (np.array([[1.0, -0.9]]), "adds up"),
        (np.full((3, 3), np.nan), "infinite"),
        (np.full((3, 3), np.inf), "infinite"),
        (np.ones((2, 3), complex), "complex"),
        (np.array([["a"]]), "numbers"),
        (np.ones(5), "shape"),
        (np.ones((2, 3, 4)), "shape"),
        (np.ones((0, 3)), "shape"),
        (np.ones((MAX_SIDE + 1, 3)), "shape"),
        (np.array([[1.0, 0.0, -0.3]]), "outside"),
    ],
)
def test_what_is_no_kernel_is_refused(weights: np.ndarray[Any, np.dtype[Any]], words: str) -> None:
    """With a message that says why."""
    with pytest.raises(ValueError, match=words):
        Kernel.of(weights)


@pytest.mark.parametrize("weights", [np.ones((3, 3), np.uint8), np.ones((1, 4, 5)), np.eye(2) > 0])
def test_numbers_of_any_kind_are_normalised(weights: np.ndarray[Any, np.dtype[Any]]) -> None:
    """Whole numbers, truth values and a third side of 1 too."""
    assert math.isclose(Kernel.of(weights).weights.sum(), 1)


def test_hash_is_of_weights_and_phase() -> None:
    """The same kernel, twice as bright, is the same; another phase is another."""
    first = Kernel.of(hook())
    assert first.sha256 == Kernel.of(hook() * 8).sha256
    assert first.sha256 != Kernel.of(hook(), "topleft").sha256 != Kernel.of(SLANTED).sha256


def test_weights_know_the_kernel_they_were_fitted_with() -> None:
    """And without one their key is what it was."""
    config = quick(scale_factor=2.0, scale_times=2)
    kernel = Degradation(blur=Kernel.of(hook()))
    keys = {
        compatibility_key(config, 3),
        compatibility_key(config, 3, kernel),
        compatibility_key(config, 3, Degradation(blur=Kernel.of(SLANTED))),
        compatibility_key(quick(), 3, kernel),  # another total scale, so another network
    }
    assert len(keys) == 4
    assert compatibility_key(config, 3, Degradation()) == compatibility_key(config, 3)


@pytest.mark.parametrize("phase", ["centred", "topleft"])
@pytest.mark.parametrize("weights", [SLANTED, hook()])
def test_knowing_the_kernel_pays(
    weights: np.ndarray[Any, np.dtype[np.float64]], phase: KernelPhase
) -> None:
    """A blurred image comes out far better than with bicubic assumed, in place and in focus."""
    kernel, truth = Kernel.of(weights, phase), load("butterfly_hr.png")
    source = kernel.shrink(truth, (128, 128), 2.0).clamp(0, 1).mul(255).round().div(255)
    config = quick(num_epochs=300, crop_size=32, self_ensemble=8)
    with_kernel, without = (
        super_resolve(source, config, device="cpu", degradation=Degradation(blur=each)).image
        for each in (kernel, BICUBIC)
    )
    assert psnr_db(with_kernel, truth) > psnr_db(without, truth) + 2


@pytest.mark.parametrize(
    "overrides",
    [
        {"scale_factor": 3.0},
        {"scale_factor": 1.5, "scale_times": 2},
        {"scale_factor": (1.5, 2.0), "self_ensemble": 8},
        {"model_variant": "paper", "augmentation": "affine", "num_epochs": 100},
        {"ensemble_back_projections": 1, "self_ensemble": 4},
        {"in_channels": 1},
    ],
)
@pytest.mark.parametrize("phase", ["centred", "topleft"])
def test_every_way_of_enlarging_takes_a_kernel(
    overrides: dict[str, Any], phase: KernelPhase
) -> None:
    """Size and progress are as without one; the result shrinks back to the source by it."""
    kernel, image = Kernel.of(SLANTED, phase), texture(37, 45) * 0.6 + 0.2
    steps: list[Step] = []
    config = quick(**overrides)
    result = super_resolve(
        image, config, device="cpu", on_step=steps.append, degradation=Degradation(blur=kernel)
    )
    assert result.image.shape[-2:] == scaled_size((37, 45), config.total_scale)
    plain = super_resolve(image, config, device="cpu").image
    back, plainly_back = (
        kernel.shrink(each, (37, 45), config.total_scale) for each in (result.image, plain)
    )
    assert psnr_db(back, image) > psnr_db(plainly_back, image) + 1
    assert steps[-1].step == steps[-1].steps
    assert steps[-1].fraction == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (3, 2)])
def test_tiny_images_take_a_kernel(size: tuple[int, int]) -> None:
    """However much larger the kernel is."""
    result = super_resolve(
        texture(*size),
        quick(),
        device="cpu",
        degradation=Degradation(blur=Kernel.of(gaussian(25, 25, (9.0, 4.0)))),
    )
    assert result.image.shape[-2:] == (2 * size[0], 2 * size[1])
    assert bool(result.image.isfinite().all())


def test_a_kernel_bridges_no_more_than_eight() -> None:
    """A larger scale is refused in words, before anything is computed."""
    config = quick(scale_factor=4.0, scale_times=2)
    with pytest.raises(ValueError, match="16: with a kernel at most 8"):
        super_resolve(
            texture(8, 8), config, device="cpu", degradation=Degradation(blur=Kernel.of(hook()))
        )
