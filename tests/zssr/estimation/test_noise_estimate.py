"""Noise: measured where there is little else, and never seen in what is clean."""

import pytest
import torch

from tests.parts.zssr_pictures import load, noised, texture
from zssr_daemon.zssr.estimation.noise_estimate import MIN_NOISE_STD, estimate_noise_std


@pytest.mark.parametrize("std", [2.0, 3.0, 5.0, 10.0, 20.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_is_measured(std: float, channels: int) -> None:
    """Within 15 % of the truth, amid a picture's detail, in grey and in colour."""
    picture = noised(load("butterfly_hr.png")[:channels], std)
    assert estimate_noise_std(picture) == pytest.approx(std, rel=0.15)


@pytest.mark.parametrize("name", ["butterfly_lr.png", "butterfly_hr.png"])
def test_detail_is_not_noise(name: str) -> None:
    """A clean picture has none, in colour, in grey and turned."""
    picture = load(name)
    for each in (picture, picture[1:2], picture.transpose(-1, -2), picture * 0.5 + 0.2):
        assert estimate_noise_std(each) == 0


def test_fine_texture_is_not_noise() -> None:
    """Even where it is everywhere, as fine as pixels go and in all directions."""
    at = torch.arange(256.0)
    rings = torch.cos((at[:, None] ** 2 + at**2) / 160)[None] * 0.3 + 0.5
    for picture in (rings, texture(256, 256) * 0.8 + 0.1):
        assert estimate_noise_std(picture.mul(255).round().div(255)) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 9), (12, 12)])
def test_small_pictures_tell_nothing(size: tuple[int, int]) -> None:
    """Too few blocks are no measurement."""
    assert estimate_noise_std(noised(torch.full((3, *size), 0.5), 20)) == 0


def test_white_and_black_hide_no_noise() -> None:
    """Where pixels are clipped noise is weaker, so it is measured elsewhere."""
    picture = load("butterfly_hr.png")
    picture[:, :100] = 1.0
    picture[:, 100:150] = 0.0
    assert estimate_noise_std(noised(picture, 10)) == pytest.approx(10, rel=0.15)
    assert estimate_noise_std(torch.ones(3, 64, 64)) == 0


def test_weak_noise_counts_as_none() -> None:
    """What is too weak to be worth it is not taken out."""
    assert estimate_noise_std(noised(torch.full((3, 200, 200), 0.5), MIN_NOISE_STD / 2)) == 0


def test_large_pictures_are_sampled() -> None:
    """What is looked at is bounded, and enough."""
    smooth = torch.linspace(0.2, 0.8, 2000)[None, :, None].expand(1, 2000, 1500)
    assert estimate_noise_std(noised(smooth, 4)) == pytest.approx(4, rel=0.05)
