"""Tiling: what a source that repeats needs before the fit: its axes, and its hidden colour."""

from dataclasses import replace

import torch
from torch import Tensor

from zssr_daemon.imaging.alpha import fill_hidden
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.zssr.estimation.seam_estimate import tiling_found
from zssr_daemon.zssr.ops.wrap import Wrap, continued


def tiling_settled(
    order: WorkOrder, picture: Tensor, is_visible: Tensor | None
) -> tuple[WorkOrder, Tensor]:
    """Return the order with the axes that repeat in place of "auto", and the picture for them.

    picture: (C, H, W) float32, CPU, [0, 1]; is_visible: (C or 1, H, W) bool, None for everywhere.
    What is hidden is filled anew, so that it goes on around the seam.
    """
    config = tiling_found(order.config, picture)
    wrap = Wrap.of(config.tileable)
    if wrap != Wrap() and is_visible is not None:
        picture = _filled(picture, is_visible, wrap)
    return replace(order, config=config), picture


def _filled(picture: Tensor, is_visible: Tensor, wrap: Wrap) -> Tensor:
    """Return the picture with what is hidden taken from neighbours around the seam too."""
    _, height, width = picture.shape
    # Half a side is the farthest that a neighbour can lie. Colours are averaged in pairs of pixels:
    # an odd number lets a pair lie across the seam.
    across, down = width // 2 | 1, height // 2 | 1
    left, _, top, _ = ends = wrap.ends(across, across, down, down)
    pixels = continued(picture, ends, wrap).permute(1, 2, 0).numpy()
    shown = continued(is_visible.float(), ends, wrap).permute(1, 2, 0).numpy() > 0
    filled = torch.from_numpy(fill_hidden(pixels, shown))
    return filled[top : top + height, left : left + width].permute(2, 0, 1).contiguous()
