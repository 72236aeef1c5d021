"""Noise: measured where there is little else, and never seen in what is clean."""

import pytest
import torch

from tests.parts.zssr_pictures import CAMERA, grainy, jpeg, load, noised, texture
from zssr_daemon.zssr.degradation.noise_shape import NoiseShape
from zssr_daemon.zssr.estimation.noise_estimate import (
    MIN_NOISE_STD,
    estimate_noise,
    estimate_noise_std,
    estimate_white_noise_std,
)


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


@pytest.mark.parametrize("std", [2.0, 5.0, 10.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_white_noise_is_white(std: float, channels: int) -> None:
    """It is measured as if nothing else could be, and has no shape."""
    picture = noised(load("butterfly_hr.png")[:channels], std)
    assert estimate_noise(picture) == (estimate_white_noise_std(picture), NoiseShape())


def test_white_noise_shows_in_colours_where_detail_hides_it() -> None:
    """Stripes everywhere have no colour: what colours hold is noise."""
    at = torch.arange(256.0)
    stripes = (torch.cos(at * 1.9) * 0.2 + 0.5).expand(3, 256, 256)
    assert estimate_white_noise_std(noised(stripes, 5)) == 0
    assert estimate_noise(noised(stripes, 5)).std == pytest.approx(5, rel=0.15)


def test_the_noise_of_a_camera_is_measured() -> None:
    """Its strength, its spectrum and its dependence on brightness; as white noise it is none."""
    ramp = torch.linspace(0.1, 0.9, 300)[None, :, None].expand(3, 300, 300)
    std, shape = estimate_noise(grainy(ramp, 6, CAMERA))
    assert std == pytest.approx(6, rel=0.15)
    for found, true in zip(shape.spectra, CAMERA.spectra, strict=True):
        assert [each * std for each in found] == pytest.approx([each * 6 for each in true], rel=0.3)
    variance = [each / shape.by_brightness[2] for each in shape.by_brightness]
    assert variance == pytest.approx(CAMERA.by_brightness, rel=0.25)
    assert estimate_white_noise_std(grainy(ramp, 6, CAMERA)) == 0


def test_noise_of_a_shrunk_picture_is_measured_amid_detail() -> None:
    """It is the same in all colours, though detail covers it in brightness."""
    shape = NoiseShape(spectra=((1.2, 1.1, 1.0, 0.9, 0.75),) * 3)
    noise = estimate_noise(grainy(load("butterfly_hr.png"), 6, shape))
    assert noise.std == pytest.approx(6, rel=0.15)
    assert len(noise.shape.spectra) == 3


def test_noise_is_seen_through_compression() -> None:
    """A JPEG takes colours and fine waves; what is left in brightness is enough, if it is noise."""
    smooth = torch.linspace(0.2, 0.8, 300)[None, :, None].expand(3, 300, 300)
    compressed = jpeg(grainy(smooth, 6, CAMERA), 92)
    left = float((compressed - jpeg(smooth, 92)).std() * 255)
    noise = estimate_noise(compressed)
    assert noise.std == pytest.approx(left, rel=0.15)
    assert noise.shape.spectra[0][4] < 0.3 * noise.shape.spectra[0][0]
    for quality in (60, 75, 85, 92, 96):
        assert estimate_noise_std(jpeg(load("butterfly_hr.png"), quality)) == 0


def test_grain_without_colour_is_measured() -> None:
    """In a grey picture, and in one with colours that have none of it."""
    shape = NoiseShape(spectra=((1.4, 1.3, 1.1, 0.9, 0.7),))
    smooth = torch.linspace(0.2, 0.8, 300)[None, :, None].expand(1, 300, 300)
    grey = grainy(smooth, 6, shape)
    assert estimate_noise(grey).std == pytest.approx(6, rel=0.15)
    in_colour = estimate_noise(grey.expand(3, 300, 300))
    assert in_colour.std == pytest.approx(6, rel=0.2)
    assert max(in_colour.shape.spectra[1]) < 0.2
