"""Inference: enlarge by one step with a fitted network, tile by tile."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig, scaled_length
from zssr_daemon.zssr.ensemble import self_ensemble
from zssr_daemon.zssr.network import ResidualNet, receptive_radius
from zssr_daemon.zssr.pairs import pad_to_multiple
from zssr_daemon.zssr.resize import resize
from zssr_daemon.zssr.tiles import apply_tiled


def predict_residual(network: ResidualNet, enlarged: Tensor, *, is_bf16: bool) -> Tensor:
    """Return the residual, float32, of (N, C, H, W) float32 in [0, 1], sides on the grid."""
    with torch.autocast(enlarged.device.type, torch.bfloat16, enabled=is_bf16):
        residual: Tensor = network(enlarged - 0.5)
    return residual.float()


@torch.no_grad()
def enlarge(
    source: Tensor,
    network: ResidualNet,
    config: ZSSRConfig,
    *,
    size: tuple[int, int],
    is_bf16: bool,
    on_tile: Callable[[int], None],
) -> Tensor:
    """Enlarge by config.scale_factor: bicubic plus the self-ensembled residual.

    source: (N, C, H, W) float32, [0, 1]; size: (height, width) of the result.
    Returns (N, C, *size) float32, not clipped. on_tile hears each tile's area in output pixels.
    """
    enlarged = pad_to_multiple(resize(source, size, config.scale_factor), network.unshuffle)
    residual = apply_tiled(
        lambda tile: self_ensemble(
            lambda turned: predict_residual(network, turned, is_bf16=is_bf16),
            tile,
            size=config.ensemble_size,
            reduce=config.ensemble_reduce,
        ),
        enlarged,
        tile=tile_side(config, network.unshuffle),
        halo=receptive_radius(
            depth=config.model_depth,
            kernel_size=config.model_kernel_size,
            unshuffle=network.unshuffle,
        ),
        on_tile=on_tile,
    )
    return residual.add_(enlarged)[..., : size[0], : size[1]]


def tile_side(config: ZSSRConfig, unshuffle: int) -> int:
    """Return the side of a tile's core in output pixels, a multiple of `unshuffle`."""
    return math.ceil(config.patch_size * config.scale_factor / unshuffle) * unshuffle


def tile_count(config: ZSSRConfig, unshuffle: int, size: tuple[int, int]) -> int:
    """Return how many tiles `enlarge` needs for an output of `size` (height, width)."""
    side = tile_side(config, unshuffle)
    return math.ceil(size[0] / side) * math.ceil(size[1] / side)


def step_size(source: Tensor, scale: float) -> tuple[int, int]:
    """Return (height, width) of `source` (..., H, W) enlarged by `scale`."""
    return scaled_length(source.shape[-2], scale), scaled_length(source.shape[-1], scale)
