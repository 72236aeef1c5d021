"""Affine fathers: the paper's augmentation."""

import math

import pytest
import torch

from tests.parts.zssr_pictures import load, texture
from zssr_daemon.zssr.ops.dihedral import dihedral
from zssr_daemon.zssr.training.affine_pairs import AffinePool, warp, warp_matrix
from zssr_daemon.zssr.training.pair_rule import PairRule


def pool_of(
    *fathers: torch.Tensor, crop_size: int = 16, scale: float = 2.0, unshuffle: int = 1
) -> AffinePool:
    """Return a pool of float32 pairs, not centred and with sons as computed."""
    rule = PairRule(scale=scale, unshuffle=unshuffle, centre=0.0, is_rounded=False)
    return AffinePool(list(fathers), rule, crop_size=crop_size, dtype=torch.float32)


def crops(pool: AffinePool, count: int) -> torch.Tensor:
    """Return father crops (count, C, side, side)."""
    inputs, residuals = pool.sample(count, torch.Generator().manual_seed(0))
    return inputs + residuals


def test_warp_without_change_is_a_crop() -> None:
    """Scale 1, no shear, no angle: pixels, at the place asked for."""
    image = texture(24, 30)
    matrix = warp_matrix(scale=1, difference=0, shear=0, angle=0)
    torch.testing.assert_close(
        warp(image, 8, matrix, (14.0, 10.0)), image[:, 6:14, 10:18], rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_warp_by_right_angles_is_a_rotation(quarter_turns: int) -> None:
    """The angle turns the picture about the middle."""
    image = texture(16, 16)
    matrix = warp_matrix(scale=1, difference=0, shear=0, angle=quarter_turns * math.pi / 2)
    turned = warp(image, 16, matrix, (8.0, 8.0))
    expected = torch.rot90(image, -quarter_turns, (-2, -1))  # y points down
    torch.testing.assert_close(turned, expected, rtol=0, atol=1e-4)


def test_warp_scales_each_axis_by_its_own_factor() -> None:
    """A ramp shrunk in x by s is 1 / s as steep; the difference is x minus y."""
    ramp = torch.arange(64.0).expand(1, 64, 64) / 64
    matrix = warp_matrix(scale=0.75, difference=0.5, shear=0, angle=0)  # x 1, y 0.5
    across = warp(ramp, 16, matrix, (32.0, 32.0))[0]
    down = warp(ramp.transpose(1, 2), 16, matrix, (32.0, 32.0))[0]
    assert float(across[8, 9] - across[8, 8]) == pytest.approx(1 / 64, abs=1e-4)
    assert float(down[9, 8] - down[8, 8]) == pytest.approx(2 / 64, abs=1e-4)


def test_warp_is_black_outside_the_image() -> None:
    """As published; a crop twice as large as the shrunken image has a black border."""
    matrix = warp_matrix(scale=0.5, difference=0, shear=0, angle=0)
    warped = warp(torch.ones(1, 16, 16), 16, matrix, (8.0, 8.0))
    assert float(warped[0, 8, 8]) == pytest.approx(1)
    assert float(warped[0, :3].abs().max()) == 0


def test_half_of_the_crops_are_warped_and_the_rest_turned() -> None:
    """45 % rotations and flips plus 5 % as is: their pixels are all from the image."""
    image = (torch.arange(20 * 20.0) / 400).reshape(1, 20, 20)
    values = set(image.flatten().tolist())
    exact = [
        all(min(abs(v - w) for w in values) < 1e-6 for v in crop.flatten().tolist())
        for crop in crops(pool_of(image, crop_size=8), 200)
    ]
    assert 0.4 < sum(exact) / len(exact) < 0.6


def test_all_eight_turns_occur() -> None:
    """With a crop of the whole image, each rotation and flip is seen among the exact ones."""
    image = texture(12, 12)
    drawn = crops(pool_of(image, crop_size=12), 300)
    seen = {
        index
        for index in range(8)
        if float((drawn - dihedral(image, index)).abs().amax(dim=(1, 2, 3)).min()) < 1e-5
    }
    assert seen == set(range(8))


def test_larger_fathers_are_likelier_by_their_area() -> None:
    """Twice the size is four times the weight."""
    small, large = torch.full((1, 20, 20), 0.25), torch.full((1, 40, 40), 0.75)
    middles = crops(pool_of(small, large, crop_size=8), 1000)[:, 0, 4, 4]
    assert float((middles > 0.5).float().mean()) == pytest.approx(0.8, abs=0.04)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (3, 40), (33, 31)])
@pytest.mark.parametrize("unshuffle", [1, 2])
def test_images_smaller_than_the_crop_give_smaller_crops(
    height: int, width: int, unshuffle: int
) -> None:
    """Square, on the unshuffle grid, and finite."""
    pool = pool_of(texture(height, width), crop_size=32, unshuffle=unshuffle)
    inputs, residuals = pool.sample(3, torch.Generator().manual_seed(0))
    side = -(-min(32, height, width) // unshuffle) * unshuffle
    assert (3, 3, side, side) == tuple(inputs.shape) == tuple(residuals.shape)
    assert inputs.isfinite().all()


def test_the_same_generator_draws_the_same_crops() -> None:
    """And one generator after another, others."""
    pool = pool_of(load("butterfly_lr.png"))
    generator = torch.Generator().manual_seed(0)
    first, other = (pool.sample(4, generator)[0] for _ in range(2))
    assert torch.equal(first, pool.sample(4, torch.Generator().manual_seed(0))[0])
    assert not torch.equal(first, other)
