"""Scales: any factor, and another one in x than in y."""

import math

import pytest
import torch
from torch import Tensor

from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.scale import (
    Scale,
    inverse,
    label,
    passes,
    per_axis,
    power,
    ratio,
    scaled_size,
)

SIZE = (37, 45)  # of no scale a multiple


def waves(size: tuple[int, int], scale: Scale, shift_px: tuple[float, float] = (0, 0)) -> Tensor:
    """Sample smooth crossing waves at the pixel centres of a grid `scale` times as fine.

    size: (height, width); shift_px: (x, y) in source pixels. Returns (3, height, width), [0, 1].
    """
    scale_x, scale_y = per_axis(scale)
    y = (torch.arange(size[0], dtype=torch.float64) + 0.5) / scale_y - 0.5 + shift_px[1]
    x = (torch.arange(size[1], dtype=torch.float64) + 0.5) / scale_x - 0.5 + shift_px[0]
    across, down = x.expand(size[0], -1), y[:, None].expand(-1, size[1])
    planes = [
        torch.sin(2 * math.pi * (across * math.cos(turn) + down * math.sin(turn)) / 7)
        for turn in (0.3, 1.2, 2.2)
    ]
    return (0.5 + 0.4 * torch.stack(planes)).float()


def shift_px(result: Tensor, scale: Scale) -> tuple[float, float]:
    """Return by how many source pixels (x, y) `result` is shifted, by least squares inside."""
    size = (result.shape[-2], result.shape[-1])
    step = 1e-2
    plain = waves(size, scale)
    slopes = [(waves(size, scale, shift) - plain) / step for shift in ((step, 0.0), (0.0, step))]
    rim_x, rim_y = (math.ceil(5 * factor) for factor in per_axis(scale))
    inner = (slice(None), slice(rim_y, -rim_y), slice(rim_x, -rim_x))
    matrix = torch.stack([slope[inner].flatten() for slope in slopes], dim=1)
    error = (result - plain)[inner].flatten()
    x, y = torch.linalg.lstsq(matrix, error).solution.tolist()
    return x, y


@pytest.mark.parametrize(
    ("scale", "times"),
    [
        (2.0, 1),
        (3.0, 1),
        (4.0, 1),
        (8.0, 1),
        (1.5, 1),
        (2.0, 2),
        (1.5, 2),
        ((2.0, 3.0), 1),
        ((1.5, 2.0), 1),
        ((1.0, 2.0), 1),
        ((1.3, 1.0), 2),
    ],
)
def test_result_has_the_exact_size_and_lies_where_the_source_does(scale: Scale, times: int) -> None:
    """Within 0.02 source pixels in x and y, whether or not the scale divides the sizes."""
    config = quick(scale_factor=scale, scale_times=times, num_epochs=80, self_ensemble=True)
    result = super_resolve(waves(SIZE, 1.0), config, device="cpu")
    assert tuple(result.image.shape[1:]) == scaled_size(SIZE, config.total_scale)
    assert max(map(abs, shift_px(result.image, config.total_scale))) < 0.02


@pytest.mark.parametrize("scale", [(2.0, 3.0), (1.5, 1.0)])
def test_a_fit_of_two_scales_beats_bicubic(scale: Scale) -> None:
    """The network is used, not the fallback, on pictures with edges."""
    config = quick(scale_factor=scale, num_epochs=100, rounds=2)
    result = super_resolve(texture(40, 48), config, device="cpu")
    assert not result.is_fallback
    assert result.psnr_network_db is not None
    assert result.psnr_bicubic_db is not None
    assert result.psnr_network_db > result.psnr_bicubic_db


def test_arithmetic_of_scales() -> None:
    """Pairs stay pairs, equal factors become one number, and labels are short."""
    assert (inverse(2.0), inverse((2.0, 4.0))) == (0.5, (0.5, 0.25))
    assert (power(1.5, 2), power((2.0, 3.0), 2), power((2.0, 2.0), 2)) == (2.25, (4.0, 9.0), 4.0)
    assert ratio((3.0, 2.0), to=(1.5, 1.0)) == 2.0
    assert [label(scale) for scale in (2, 2.5, (2.0, 3.5), (3.0, 3.0))] == [
        "2",
        "2.5",
        "2x3.5",
        "3",
    ]
    assert scaled_size((3, 5), (2.0, 1.5)) == (5, 10)


@pytest.mark.parametrize(
    ("scale", "by", "expected"),
    [
        (1.5, 1.5, [(1.5, 1.5)]),
        (2.0, 2.0, [(2.0, 2.0)]),
        (3.0, 2.0, [(2.0, 1.5), (3.0, 3.0)]),
        (4.0, 2.0, [(2.0, 2.0), (4.0, 4.0)]),
        (5.0, 2.0, [(2.0, 1.25), (2.5, 2.5), (5.0, 5.0)]),
        ((2.0, 3.0), 2.0, [(2.0, (1.0, 1.5)), ((2.0, 3.0), (2.0, 3.0))]),
        ((1.0, 4.0), (1.0, 2.0), [((1.0, 2.0), (1.0, 2.0)), ((1.0, 4.0), (1.0, 4.0))]),
    ],
)
def test_passes_end_at_the_scale_and_only_the_first_overshoots(
    scale: Scale, by: Scale, expected: list[tuple[Scale, Scale]]
) -> None:
    """The overshoot is shrunk away, which makes it sharp."""
    assert expected == passes(scale, by)


def test_a_root_of_the_scale_takes_as_many_passes_as_its_power() -> None:
    """Rounding errors do not add one."""
    assert [len(passes(3.0, 3 ** (1 / count))) for count in (2, 3, 5, 7)] == [2, 3, 5, 7]


def test_max_pass_scale_decides_the_networks_scale() -> None:
    """Scale 3 in one pass of 3 is another picture than in two of 2."""
    image = texture(24, 24)
    two, one = (
        super_resolve(image, quick(scale_factor=3.0, max_pass_scale=most), device="cpu").image
        for most in (2.0, 3.0)
    )
    assert one.shape == two.shape
    assert not torch.equal(one, two)
