"""SeamEstimate: textures that tile are seen, and nothing else is taken for one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tests.parts.zssr_pictures import texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.estimation.seam_estimate import estimate_wrap, tiling_found

BUTTERFLY = Path(__file__).parents[2] / "data" / "butterfly_hr.png"


def butterfly() -> Tensor:
    """Return a photograph, (3, H, W) in [0, 1]."""
    return torch.from_numpy(np.array(Image.open(BUTTERFLY).convert("RGB"))).permute(2, 0, 1) / 255


def waves(height: int, width: int) -> NDArray[np.float64]:
    """Return a grey picture (H, W) of levels that repeats in both axes."""
    y, x = np.mgrid[:height, :width] / np.array([height, width])[:, None, None]
    turn = 2 * np.pi
    return np.asarray(
        127 + 60 * np.sin(turn * (10 * x + 7 * y)) + 40 * np.sin(turn * (3 * x - 15 * y))
    )


def picture(levels: NDArray[np.floating]) -> Tensor:
    """Return (H, W) levels as (1, H, W) in [0, 1], rounded to 8 bits."""
    return torch.from_numpy(np.rint(levels.clip(0, 255)) / 255).float()[None]


def mirrored(image: Tensor) -> Tensor:
    """Return an image with its mirror images beside and below, which repeats."""
    wide = torch.cat([image, image.flip(-1)], dim=-1)
    return torch.cat([wide, wide.flip(-2)], dim=-2)


def bricks() -> Tensor:
    """Return a wall, (1, 64, 96), whose seams lie where bricks end."""
    levels = np.full((64, 96), 140.0)
    for row in range(4):
        levels[row * 16 : row * 16 + 2] = 200
        for column in range(4):
            left = (column * 24 + row % 2 * 12) % 96
            levels[row * 16 : row * 16 + 16, left : left + 2] = 200
    return picture(levels)


@pytest.mark.parametrize("levels_of_noise", [0, 6])
def test_textures_are_seen(levels_of_noise: int) -> None:
    """Waves, with noise and without."""
    levels = waves(96, 128)
    noise = np.random.default_rng(0).normal(0, levels_of_noise, levels.shape)
    assert estimate_wrap(picture(levels + noise)).name == "xy"


def test_a_seam_on_an_edge_is_seen() -> None:
    """There the step is large, and like those inside."""
    assert estimate_wrap(bricks()).name == "xy"
    assert estimate_wrap(mirrored(butterfly())).name == "xy"


def test_each_axis_by_itself() -> None:
    """A texture cut in one axis repeats in the other alone."""
    assert estimate_wrap(picture(waves(96, 128)[:, :101])).name == "y"
    assert estimate_wrap(picture(waves(96, 128)[:79])).name == "x"


def bordered() -> Tensor:
    """Return a photograph in a white frame, with a little noise."""
    framed = torch.nn.functional.pad(butterfly(), (9, 9, 9, 9), value=0.95)
    noise = torch.randn(framed.shape, generator=torch.Generator().manual_seed(0))
    return framed + noise * (2 / 255)


NO_TEXTURES = {
    "photograph": butterfly(),
    "part of it": butterfly()[:, 30:150, 20:180],
    "frame": bordered(),
    "plain": torch.full((3, 60, 60), 0.4),
    "ramp": torch.linspace(0, 1, 64).expand(1, 64, 64),
    "noise": torch.rand(3, 96, 96, generator=torch.Generator().manual_seed(0)),
    "blobs": texture(90, 70),
    "tiny": picture(waves(96, 128))[:, :9, :9],
    "pixel": torch.rand(3, 1, 1),
}


@pytest.mark.parametrize("name", NO_TEXTURES)
def test_other_pictures_are_none(name: str) -> None:
    """Photographs, flat borders, plain ramps and noise do not repeat."""
    assert estimate_wrap(NO_TEXTURES[name]).name == "no"


def test_only_auto_is_replaced() -> None:
    """What the settings name stays, whatever the picture shows."""
    wave = picture(waves(96, 128))
    for given, wanted in (("auto", "xy"), ("no", "no"), ("x", "x")):
        config = ZSSRConfig.from_preset("balanced", tileable=given)
        assert tiling_found(config, wave).tileable == wanted
