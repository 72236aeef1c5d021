"""Tiling: what a source that repeats needs before the fit: its axes, and its hidden colour."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from zssr_daemon.imaging.alpha import fill_hidden_colour
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.zssr.estimation.seam_estimate import tiling_found
from zssr_daemon.zssr.ops.wrap import Wrap, continued


def tiling_settled(
    order: WorkOrder, picture: Tensor, alpha: NDArray[np.float32] | None
) -> tuple[WorkOrder, Tensor]:
    """Return the order with the axes that repeat in place of "auto", and the picture for them.

    picture: (C, H, W) float32, CPU, [0, 1]; alpha: (H, W) float32, [0, 1]. Colour that alpha hides
    is filled anew, so that it goes on around the seam.
    """
    config = tiling_found(order.config, picture)
    wrap = Wrap.of(config.tileable)
    if wrap != Wrap() and alpha is not None:
        picture = _filled(picture, torch.from_numpy(alpha), wrap)
    return replace(order, config=config), picture


def _filled(picture: Tensor, alpha: Tensor, wrap: Wrap) -> Tensor:
    """Return the picture with its hidden colour taken from neighbours around the seam too."""
    height, width = alpha.shape
    # Half a side is the farthest that a neighbour can lie. Colours are averaged in pairs of pixels:
    # an odd number lets a pair lie across the seam.
    across, down = width // 2 | 1, height // 2 | 1
    left, _, top, _ = ends = wrap.ends(across, across, down, down)
    pixels = continued(picture, ends, wrap).permute(1, 2, 0).numpy()
    filled = fill_hidden_colour(pixels, continued(alpha[None], ends, wrap)[0].numpy())
    return (
        torch.from_numpy(filled[top : top + height, left : left + width])
        .permute(2, 0, 1)
        .contiguous()
    )
