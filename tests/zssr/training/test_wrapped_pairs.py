"""Wrapped pairs: the fit of a picture that repeats sees its seam as it sees the rest."""

import pytest
import torch

from tests.parts.zssr_pictures import texture
from zssr_daemon.zssr.degradation.blur import BICUBIC, Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.ops.regions import MAX_SOURCE_PIXELS, regions, wrap_of_parts
from zssr_daemon.zssr.ops.wrap import Wrap, span
from zssr_daemon.zssr.training.affine_pairs import AffinePool
from zssr_daemon.zssr.training.pair_rule import PairRule
from zssr_daemon.zssr.training.pairs import PairPool

XY = Wrap(x=True, y=True)


def rule(wrap: Wrap, *, scale: float = 2.0) -> PairRule:
    """Return the rule of an image that is plain but for its wrap."""
    degradation = Degradation(blur=BICUBIC.wrapping(wrap))
    return PairRule(scale=scale, is_rounded=False, degradation=degradation)


def test_a_pair_commutes_with_a_shift() -> None:
    """Son, enlarged son and residual have no border."""
    image = texture(24, 32)
    pair, shifted = (rule(XY).pair(each) for each in (image, image.roll((4, 6), (-2, -1))))
    torch.testing.assert_close(pair.roll((4, 6), (-2, -1)), shifted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(24, 32), (21, 33), (9, 40)])
def test_crops_begin_everywhere(size: tuple[int, int]) -> None:
    """Some lie across the seam, and each is a part of the pair that goes on with its other side."""
    image = texture(*size)
    pool = PairPool([image], rule(XY), crop_size=8, dtype=torch.float32)
    pair = rule(XY).pair(image)
    down, across = (-(-side // 2) for side in size)
    crops = {
        (row, column): span(span(pair, -2, 2 * row, 2 * row + 8), -1, 2 * column, 2 * column + 8)
        for row in range(down)
        for column in range(across)
    }
    found = {
        place: pool._crop(0.0, (place[0] + 0.5) / down, (place[1] + 0.5) / across, 0.0)
        for place in crops
    }
    for place, crop in crops.items():
        torch.testing.assert_close(found[place], crop, rtol=0, atol=1e-6)


def test_one_axis_alone() -> None:
    """Rows go on, columns end; a picture turned on its side would have that exchanged."""
    blur = Kernel.of(torch.rand(3, 4, generator=torch.Generator().manual_seed(0)).numpy())
    wrapped = Degradation(blur=blur.wrapping(Wrap(x=True)))
    own = PairRule(scale=2.0, is_rounded=False, degradation=wrapped)
    image = texture(24, 32)
    pool = PairPool([image], own, crop_size=8, dtype=torch.float32)
    inputs, residuals = pool.sample(40, torch.Generator().manual_seed(0))
    assert inputs.shape == residuals.shape == (40, 3, 8, 8)
    assert len(pool._pairs) == 4 * 6  # of each size four, none of them turned on its side


def test_warped_crops_reach_over_the_seam() -> None:
    """The paper's augmentation finds no black beyond the seam where the picture repeats."""
    bright = torch.full((1, 24, 24), 0.9)

    def darkest(wrap: Wrap) -> float:
        pool = AffinePool([bright], rule(wrap), crop_size=16, dtype=torch.float32)
        generator = torch.Generator().manual_seed(0)
        inputs, residuals = pool.sample(60, generator)
        return float((inputs + residuals).mean(dim=(1, 2, 3)).min())

    assert darkest(XY) > darkest(Wrap())


def test_regions_of_a_large_picture_lie_across_the_seam() -> None:
    """Then they do not wrap themselves, but along a side that they have whole."""
    height, width = MAX_SOURCE_PIXELS // 64, 100
    planes = torch.arange(height, dtype=torch.float32)[None, None, :, None].repeat(1, 1, 1, width)
    parts = regions(planes, torch.Generator().manual_seed(0), XY)
    assert wrap_of_parts(planes, parts, XY) == Wrap(x=True)
    corners = [float(part[0, 0, 0]) for part in parts]
    steps = {step for part in parts for step in part[0, :, 0].diff().tolist()}
    assert steps == {1.0, 1.0 - height}
    assert max(corners) > height - parts[0].shape[-2]
