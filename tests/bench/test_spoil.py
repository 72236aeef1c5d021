"""Spoil: the noise of cameras and of shrunk pictures is what it is called."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.quality.spoil import UNSPOILT, Spoil
from zssr_daemon.zssr.degradation.noise_shape import separated
from zssr_daemon.zssr.ops.dct import blocks, transform


def noise_of(spoil: Spoil, level: int) -> NDArray[np.float64]:
    """Return what a spoilt picture of one grey differs by, (256, 256, 3), levels of 255."""
    spoilt = spoil(Image.new("RGB", (256, 256), (level,) * 3))
    return np.asarray(spoilt).astype(float) - level


def finest_and_coarse(noise: NDArray[np.float64]) -> list[list[float]]:
    """Return the mean strength of fine and of coarse waves, in brightness and two colours."""
    planes = separated(torch.from_numpy(noise).permute(2, 0, 1).float())
    waves = [transform(blocks(plane, 8)).square().mean(dim=0) for plane in planes]
    return [
        [float(each[5:, 5:].mean().sqrt()), float(each[1:3, 1:3].mean().sqrt())] for each in waves
    ]


def test_a_camera_makes_coarse_noise_of_colours() -> None:
    """Brightness loses a part of its finest waves, colours most; each pixel keeps its mean."""
    noise = noise_of(Spoil(camera_std=6), 128)
    luma, *colours = finest_and_coarse(noise)
    assert luma[0] < 0.8 * luma[1]
    assert all(fine < 0.7 * coarse for fine, coarse in colours)
    assert abs(noise.mean()) < 0.2
    assert noise.std() == pytest.approx(5, rel=0.3)  # demosaicking takes means of raw pixels


def test_the_noise_of_a_camera_depends_on_brightness() -> None:
    """In sRGB the dark is noisier than the bright."""
    dark, middle, bright = (noise_of(Spoil(camera_std=6), level).std() for level in (40, 128, 220))
    assert dark > 1.3 * middle > 1.3 * bright


def test_shrinking_takes_fine_noise() -> None:
    """In all colours alike."""
    noise = noise_of(Spoil(shrunk_std=8), 128)
    assert 3 < noise.std() < 6
    assert all(fine < 0.8 * coarse for fine, coarse in finest_and_coarse(noise))


def test_unspoilt_is_unspoilt() -> None:
    """And a label names what else was done."""
    assert not noise_of(UNSPOILT, 77).any()
    assert Spoil(noise_std=5, jpeg_quality=60).label == "-noise5-jpeg60"
    assert Spoil(camera_std=5).label == "-camera5"
    assert Spoil(shrunk_std=8).label == "-shrunk8"
