"""Resizing: exact scale, exact size, Pillow's bicubic."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.parts.zssr_pictures import load, texture
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.scale import scaled_length


def wave(length: int, scale: float) -> Tensor:
    """Sample a slow wave at the pixel centres of a grid `scale` times as fine."""
    x = (torch.arange(length, dtype=torch.float64) + 0.5) / scale - 0.5
    return torch.sin(2 * math.pi * x / 40).float()


def shift_px(result: Tensor, scale: float) -> float:
    """Return by how many source pixels `result` is shifted against `wave`, by least squares."""
    inner = slice(round(8 * scale) + 1, -round(8 * scale) - 1)
    expected = wave(len(result), scale)
    step = 1e-2
    x = (torch.arange(len(result), dtype=torch.float64) + 0.5) / scale - 0.5
    slope = ((torch.sin(2 * math.pi * (x + step) / 40).float() - expected) / step)[inner]
    return float((result - expected)[inner] @ slope / (slope @ slope))


@pytest.mark.parametrize("scale", [2.0, 3.0, 4.0, 8.0, 1.5, 2.5, 1.1, 0.5, 1 / 3, 0.4, 2 / 3, 0.9])
@pytest.mark.parametrize("length", [120, 121, 127])
def test_resize_keeps_positions_at_any_size(scale: float, length: int) -> None:
    """A slow wave stays where it is within 0.01 px, also where the scale does not divide."""
    out = scaled_length(length, scale)
    image = wave(length, 1).expand(1, 4, -1)
    across = resize(image, (scaled_length(4, scale), out), scale)[0, 0]
    down = resize(image.transpose(1, 2), (out, scaled_length(4, scale)), scale)[0, :, 0]
    assert abs(shift_px(across, scale)) < 0.01
    torch.testing.assert_close(across, down, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("size", "scale"), [((256, 256), 2.0), ((64, 64), 0.5), ((32, 32), 0.25)])
def test_resize_equals_pillow_where_sizes_divide(size: tuple[int, int], scale: float) -> None:
    """The kernel is a = -0.5, antialiased, with border weights renormalised: Pillow's BICUBIC."""
    image = load("butterfly_lr.png")
    planes = [
        np.array(
            Image.fromarray(plane.numpy(), mode="F").resize(size[::-1], Image.Resampling.BICUBIC)
        )
        for plane in image
    ]
    expected = torch.from_numpy(np.stack(planes))
    torch.testing.assert_close(resize(image, size, scale), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(("height", "width"), [(40, 2), (2, 40), (2, 2), (40, 4), (4, 40)])
@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_resize_equals_pillow_on_thin_images(height: int, width: int, scale: float) -> None:
    """Sides of one or two pixels, before or after; the operator underneath gets these wrong."""
    size = (scaled_length(height, scale), scaled_length(width, scale))
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(0))
    box = (0, 0, size[1] / scale, size[0] / scale)
    expected = [
        np.array(
            Image.fromarray(plane.numpy(), mode="F").resize(
                size[::-1], Image.Resampling.BICUBIC, box=box
            )
        )
        for plane in image
    ]
    torch.testing.assert_close(
        resize(image, size, scale), torch.from_numpy(np.stack(expected)), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("scale", [2.0, 1.1, 0.9, 0.5, 1 / 3])
def test_resize_treats_rows_and_columns_alike(channels: int, width: int, scale: float) -> None:
    """Transposing before is transposing after, also for sides that end at one or stay."""
    image = torch.rand(channels, 60, width, generator=torch.Generator().manual_seed(0))
    size = (scaled_length(60, scale), scaled_length(width, scale))
    turned = resize(image.transpose(1, 2).contiguous(), size[::-1], scale).transpose(1, 2)
    torch.testing.assert_close(resize(image, size, scale), turned, rtol=0, atol=1e-6)


def test_resize_of_unchanged_length_still_resamples() -> None:
    """Four pixels times 0.9 are four pixels again, but of another grid."""
    ramp = torch.arange(4.0).expand(1, 4, 4)
    assert not torch.equal(ramp, resize(ramp, (4, 4), 0.9))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (7, 1), (3, 5)])
@pytest.mark.parametrize("scale", [2.0, 1.5, 8.0, 0.5, 1 / 3])
def test_resize_keeps_one_colour_at_any_size(
    channels: int, height: int, width: int, scale: float
) -> None:
    """Weights sum to one everywhere, one-pixel sides included; any number of channels."""
    size = (scaled_length(height, scale), scaled_length(width, scale))
    result = resize(torch.full((channels, height, width), 0.3), size, scale)
    torch.testing.assert_close(result, torch.full((channels, *size), 0.3), rtol=0, atol=1e-6)


def test_resizing_by_a_pair_is_resizing_each_axis() -> None:
    """X is the width's scale, y the height's."""
    image = texture(20, 30)
    wide = resize(image, (20, 60), (2.0, 1.0))
    expected = resize(wide, (60, 60), (1.0, 3.0))
    torch.testing.assert_close(resize(image, (60, 60), (2.0, 3.0)), expected, rtol=0, atol=1e-5)
