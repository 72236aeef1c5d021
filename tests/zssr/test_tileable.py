"""Tileable: a texture that tiles is enlarged without a seam, and nothing else changes."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.pipeline import super_resolve

SIDE = 256
BORDER = 8  # pixels


def wanted() -> NDArray[np.uint8]:
    """Return a periodic picture, (SIDE, SIDE) levels."""
    y, x = np.mgrid[:SIDE, :SIDE] * (2 * np.pi / SIDE)
    levels = 127 + 60 * np.sin(20 * x + 13 * y) + 40 * np.sin(7 * x - 31 * y)
    return np.asarray(levels.clip(0, 255), dtype=np.uint8)


def source() -> Tensor:
    """Return it shrunk to half, (1, SIDE / 2, SIDE / 2) in [0, 1]; it repeats too."""
    copies = Image.fromarray(np.tile(wanted(), (3, 3)))
    small = copies.resize((SIDE * 3 // 2, SIDE * 3 // 2), Image.Resampling.BICUBIC)
    half = SIDE // 2
    return torch.from_numpy(np.array(small)[None, half:SIDE, half:SIDE]) / 255


def rms(values: NDArray[np.float64]) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.square(values).mean()))


def errors(result: Tensor) -> tuple[float, float]:
    """Return the error at the border and that of the step across the seams, rms levels."""
    off = np.rint(result[0].numpy() * 255.0) - wanted()
    is_border = np.ones_like(off, bool)
    is_border[BORDER:-BORDER, BORDER:-BORDER] = False
    steps = np.concatenate([off[:, 0] - off[:, -1], off[0] - off[-1]])
    return rms(off[is_border]), rms(steps)


def test_no_seam_shows() -> None:
    """Border and seam are as good as those cut out of nine copies side by side (0.7 and 0.9)."""
    config = ZSSRConfig.from_preset("fast", num_epochs=100, precision="fp32", tileable="auto")
    result = super_resolve(source(), config, device="cpu")
    assert result.tileable == "xy"
    assert not result.is_fallback
    border, seam = errors(result.image)
    assert border < 0.9
    assert seam < 1.2


@pytest.mark.parametrize("scale", [2.0, 1.5])
def test_auto_changes_nothing_where_nothing_repeats(scale: float) -> None:
    """The same bytes as with "no", and it says so."""
    image = texture(40, 30)
    results = [
        super_resolve(image, quick(scale_factor=scale, tileable=tileable), device="cpu")
        for tileable in ("no", "auto")
    ]
    assert [each.tileable for each in results] == ["no", "no"]
    assert torch.equal(results[0].image, results[1].image)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 4), (33, 21)])
@pytest.mark.parametrize("tileable", ["x", "xy"])
def test_any_size_wraps(size: tuple[int, int], tileable: str) -> None:
    """Even a single pixel, and sides that are no multiples of anything."""
    config = quick(scale_factor=1.5, scale_times=2, tileable=tileable, num_epochs=6, rounds=2)
    result = super_resolve(texture(*size), config, device="cpu")
    assert result.image.shape[1:] == config.output_size(*reversed(size))[::-1]
    assert result.image.isfinite().all()
