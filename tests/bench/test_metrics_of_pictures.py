"""The benches' metrics: as the papers count."""

import numpy as np
import pytest
from PIL import Image

from bench.quality.metrics import luma, psnr_y_db, ssim_y
from tests.parts.zssr_pictures import DATA


def test_luma_runs_from_16_to_235() -> None:
    """BT.601 limited range, not the full one, which is 1.3 dB away."""
    pixels = np.array([[[0, 0, 0], [255, 255, 255]]], dtype=np.uint8)
    assert [16.0, pytest.approx(235.0, abs=0.01)] == luma(pixels)[0].tolist()


def test_luma_of_a_grey_image_is_the_image() -> None:
    """Set14's one grey picture would gain 1.3 dB by a detour over RGB, the mean 0.1."""
    pixels = np.array([[0, 77, 255]], dtype=np.uint8)
    assert luma(pixels).tolist() == [[0, 77, 255]]


def test_psnr_of_a_known_error_inside_the_border() -> None:
    """A grey step of 10 levels is 10 * 219 / 255 of luma; the border does not count."""
    truth = np.full((20, 20, 3), 100, dtype=np.uint8)
    result = truth + np.uint8(10)
    result[0] = 0
    expected = 20 * np.log10(255 / (10 * 218.999 / 255))
    assert expected == pytest.approx(psnr_y_db(result, truth, crop_border=2), abs=0.001)


def test_bicubic_butterfly_has_its_published_psnr() -> None:
    """27.43 dB and SSIM 0.915, as every paper's table has it (Pillow rounds its own way)."""
    with Image.open(DATA / "butterfly_hr.png") as image:
        truth = np.array(image.convert("RGB"))
    with Image.open(DATA / "butterfly_lr.png") as image:
        bicubic = np.array(image.convert("RGB").resize((256, 256), Image.Resampling.BICUBIC))
    assert pytest.approx(psnr_y_db(bicubic, truth, crop_border=2), abs=0.03) == 27.43
    assert pytest.approx(ssim_y(bicubic, truth, crop_border=2), abs=0.005) == 0.915


def test_ssim_of_an_image_with_itself_is_one() -> None:
    """And less for anything else."""
    truth = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    assert pytest.approx(ssim_y(truth, truth, crop_border=2)) == 1
    assert ssim_y(truth[::-1], truth, crop_border=2) < 0.5
