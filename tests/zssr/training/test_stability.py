"""Stability: odd pictures and settings end with a finite picture of the right size."""

from typing import Any

import pytest
import torch

from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.scale import Scale, scaled_size

PAPER = {
    "model_variant": "paper",
    "augmentation": "affine",
    "son_rounding": False,
    "lr_schedule": "plateau",
    "ensemble_reduce": "median",
    "ensemble_back_projections": 2,
    "self_ensemble": True,
    "max_gradient_norm": 0.0,
    "batch_size": 1,
}


@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(3, 1, 1), (1, 1, 1), (3, 1, 40), (1, 40, 1), (3, 2, 3), (1, 33, 29), (3, 300, 2)],
)
@pytest.mark.parametrize("scale", [8.0, (2.0, 3.0), (1.5, 1.0), (1.0, 8.0)])
@pytest.mark.parametrize("overrides", [{}, PAPER], ids=["compact", "paper"])
def test_odd_sizes_and_scales(
    channels: int, height: int, width: int, scale: Scale, overrides: dict[str, Any]
) -> None:
    """One pixel, one row, one column, one channel; scale 8 and scales that differ."""
    config = quick(scale_factor=scale, num_epochs=4, rounds=2, **overrides)
    result = super_resolve(texture(height, width, channels), config, device="cpu")
    assert (channels, *scaled_size((height, width), scale)) == tuple(result.image.shape)
    assert result.image.isfinite().all()
    assert 0 <= float(result.image.min()) <= float(result.image.max()) <= 1


@pytest.mark.parametrize("overrides", [{}, PAPER], ids=["compact", "paper"])
@pytest.mark.parametrize("scale", [2.0, (2.0, 3.0)])
def test_a_huge_rate_ends_with_bicubic(overrides: dict[str, Any], scale: Scale) -> None:
    """Never with noise: whatever dies or diverges is replaced, and said to be."""
    image = texture(40, 40)
    config = quick(scale_factor=scale, lr=10.0, num_epochs=60, back_projections=3, **overrides)
    result = super_resolve(image, config, device="cpu")
    assert result.is_fallback
    floor = resize(image[None], scaled_size((40, 40), scale), scale)
    expected = back_project(floor, image[None], scale, 3)[0]
    assert torch.equal(expected, result.image)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_pictures_of_two_extremes_only(precision: str) -> None:
    """Black and white in a checkerboard, the hardest to enlarge: finite and in range."""
    board = ((torch.arange(24)[:, None] + torch.arange(24)) % 2).float().expand(3, -1, -1)
    result = super_resolve(board.contiguous(), quick(precision=precision), device="cpu")
    assert result.image.isfinite().all()
    assert 0 <= float(result.image.min()) <= float(result.image.max()) <= 1
