"""Denoising: noise goes, the picture stays, and strips do not show."""

import pytest
import torch

from tests.parts.zssr_pictures import CAMERA, grainy, load, noised, psnr_db, texture
from zssr_daemon.zssr.degradation import denoise as module
from zssr_daemon.zssr.degradation.denoise import denoise
from zssr_daemon.zssr.degradation.noise_shape import NoiseShape


@pytest.mark.parametrize(("std", "gain_db"), [(5.0, 1.5), (10.0, 2.5), (25.0, 4.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_goes_and_the_picture_stays(std: float, gain_db: float, channels: int) -> None:
    """The result is nearer to the clean picture, by more the stronger the noise."""
    picture = load("butterfly_hr.png")[:channels]
    noisy = noised(picture, std)
    assert psnr_db(denoise(noisy, std), picture) > psnr_db(noisy, picture) + gain_db


def test_brightness_and_colour_stay() -> None:
    """Noise of one colour is gone, to a fifth; the colour is there."""
    colour = torch.tensor([0.2, 0.5, 0.7])[:, None, None].expand(3, 64, 64)
    clean = denoise(noised(colour, 10), 10.0)
    assert (clean.mean(dim=(1, 2)) - colour[:, 0, 0]).abs().max() < 1 / 255
    assert clean.std(dim=(1, 2)).max() < 2 / 255


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 2), (21, 33)])
def test_every_size_is_taken(size: tuple[int, int]) -> None:
    """Shape and range are the same, for one picture and for several at once."""
    pictures = torch.stack([texture(*size), texture(*size, seed=1)])
    both = denoise(pictures, 8.0)
    assert both.shape == pictures.shape
    assert 0 <= both.min() <= both.max() <= 1
    torch.testing.assert_close(both[1], denoise(pictures[1], 8.0))


@pytest.mark.parametrize("size", [(200, 61), (61, 200)])
def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    """Each looks as far as both steps do; after each the caller hears of it."""
    picture, heard = noised(texture(*size), 10), []
    whole = denoise(picture, 10.0)
    monkeypatch.setattr(module, "STRIP_PIXELS", 600)
    parts = denoise(picture, 10.0, lambda: heard.append(1))
    torch.testing.assert_close(parts, whole, rtol=0, atol=1e-5)
    assert len(heard) > 5


@pytest.mark.parametrize(
    "shape", [NoiseShape(CAMERA.spectra), NoiseShape(by_brightness=(6.0, 2.0, 0.7, 0.3, 0.1))]
)
def test_knowing_the_shape_of_noise_pays(shape: NoiseShape) -> None:
    """The result is nearer to the clean picture than with noise taken for white."""
    picture = load("butterfly_hr.png")
    noisy = grainy(picture, 8, shape)
    known, white = denoise(noisy, 8.0, shape=shape), denoise(noisy, 8.0)
    assert psnr_db(known, picture) > max(psnr_db(white, picture), psnr_db(noisy, picture)) + 0.5


def test_shapes_of_noise_cross_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several pictures at once and strips give what one picture at once gives."""
    pictures = torch.stack([grainy(texture(90, 50, seed=n), 8, CAMERA) for n in range(2)])
    whole = denoise(pictures[1], 8.0, shape=CAMERA)
    monkeypatch.setattr(module, "STRIP_PIXELS", 600)
    torch.testing.assert_close(denoise(pictures, 8.0, shape=CAMERA)[1], whole, rtol=0, atol=1e-5)
