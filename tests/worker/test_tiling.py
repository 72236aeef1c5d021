"""Tiling: the worker finds out what repeats, says so, and lets alpha and hidden colour wrap."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tests.parts.worker_parts import order_of
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.worker.tiling import tiling_settled
from zssr_daemon.zssr.config import ZSSRConfig

ENLARGER = Enlarger("cpu", 1)


def waves(side: int) -> np.ndarray:
    """Return levels (side, side) float64 that repeat in both axes."""
    y, x = np.mgrid[:side, :side] * (2 * np.pi / side)
    return np.asarray(127 + 60 * np.sin(6 * x + 4 * y) + 40 * np.sin(2 * x - 7 * y))


def test_what_was_found_is_told(tmp_path: Path) -> None:
    """Report and metadata name the axes; alpha wraps as the colours do."""
    levels = np.rint(waves(48)).astype(np.uint8)
    alpha = np.maximum(levels, 1)
    results = []
    for shift in (0, 24):
        path = tmp_path / f"wave{shift}.png"
        Image.fromarray(np.roll(np.dstack([levels] * 3 + [alpha]), shift, (0, 1))).save(path)
        order = order_of(path)
        done = enlarge_file(
            ENLARGER,
            replace(order, config=replace(order.config, tileable="auto")),
            lambda _: None,
        )
        assert done.report.tileable == "xy"
        with Image.open(tmp_path / "part") as output:
            assert json.loads(output.info["zssr"])["tileable"] == "xy"
            results.append(np.asarray(output)[..., 3].astype(int))
    np.testing.assert_allclose(np.roll(results[0], 48, (0, 1)), results[1], atol=1)


def test_hidden_colour_comes_from_around_the_seam(tmp_path: Path) -> None:
    """A hidden pixel at the left border takes the colour of the right one, next to it."""
    picture = torch.full((3, 16, 16), 0.2)
    picture[:, :, -2:] = 0.9
    is_visible = torch.ones(1, 16, 16, dtype=torch.bool)
    is_visible[:, :, :2] = False
    picture[:, :, :2] = 0.5
    Image.new("L", (16, 16)).save(tmp_path / "any.png")
    order = order_of(tmp_path / "any.png")
    for tileable, low, high in (("x", 0.89, 0.91), ("no", 0.49, 0.51)):
        config = ZSSRConfig.from_preset(tileable=tileable)
        chosen = replace(order, config=config)
        same, filled = tiling_settled(chosen, picture, is_visible)
        assert same == chosen
        assert low <= float(filled[0, 8, 0]) <= high
        assert torch.equal(filled[:, :, 2:], picture[:, :, 2:])
