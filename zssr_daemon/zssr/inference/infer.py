"""Inference: enlarge by one step with a fitted network, tile by tile."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.inference.residual_trust import contrast as measure_contrast
from zssr_daemon.zssr.inference.residual_trust import credit, trust
from zssr_daemon.zssr.inference.self_ensemble import reduce_members, self_ensemble
from zssr_daemon.zssr.inference.tiles import Box, apply_tiled, whole
from zssr_daemon.zssr.network import ResidualNet, receptive_radius
from zssr_daemon.zssr.ops.padding import pad_to_multiple
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.scale import Scale, mean, scaled_size


def predict_residual(network: ResidualNet, enlarged: Tensor, *, is_bf16: bool) -> Tensor:
    """Return the residual, float32, of (N, C, H, W) float32 in [0, 1], sides on the grid."""
    with torch.autocast(enlarged.device.type, torch.bfloat16, enabled=is_bf16):
        residual: Tensor = network(enlarged - network.centre)
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
    box: Box | None = None,
    contrast: Tensor | None = None,
    on_pass: Callable[[], None] = lambda: None,
    blur: Blur = BICUBIC,
) -> Tensor:
    """Enlarge by config.network_scale: bicubic plus the self-ensembled residual.

    source: (N, C, H, W) float32, [0, 1]; size: (height, width) of the result.
    Of a strip: box is where the residual is wanted (rows, columns of the result, beginning on the
    unshuffle grid), contrast that of the whole image.
    Returns (N, C, *size) float32, not clipped. on_tile hears each tile's area in output pixels;
    on_pass is called after each calculation on the whole image.
    """
    scale = config.network_scale
    enlarged = pad_to_multiple(blur.enlarge(source, size, scale), network.unshuffle)
    on_pass()
    trusted = _trust_at(source, enlarged, scale, blur) if config.alias_guard else 1.0
    on_pass()

    corner_grid = network.unshuffle if blur.is_about_corner else None

    def add_residual(members: tuple[int, ...]) -> Tensor:
        residual = apply_tiled(
            lambda tile: self_ensemble(
                lambda turned: predict_residual(network, turned, is_bf16=is_bf16),
                tile,
                members=members,
                reduce=config.ensemble_reduce,
                corner_grid=corner_grid,
            ),
            enlarged,
            tile=tile_side(config, network.unshuffle),
            halo=receptive_radius(
                depth=config.model_depth,
                kernel_size=config.model_kernel_size,
                unshuffle=network.unshuffle,
            )
            + (corner_grid or 0),
            on_tile=on_tile,
            box=box,
        )
        if config.faint_residual > 0:
            span = measure_contrast(source) if contrast is None else contrast
            residual.mul_(credit(residual, span, config.faint_residual))
            on_pass()
        return residual.mul_(trusted).add_(enlarged)[..., : size[0], : size[1]]

    members = ensemble_members(config, blur)
    times = config.ensemble_back_projections
    if times == 0:
        return add_residual(members)
    results = [
        back_project(add_residual((member,)), source, scale, times, on_pass, blur=blur)
        for member in members
    ]
    return reduce_members(torch.stack(results), config.ensemble_reduce)


def enlarge_within(
    memory: Memory,
    source: Tensor,
    network: ResidualNet,
    config: ZSSRConfig,
    *,
    size: tuple[int, int],
    is_bf16: bool,
    progress: Progress,
    box: Box | None = None,
    contrast: Tensor | None = None,
    blur: Blur = BICUBIC,
) -> Tensor:
    """Return what `enlarge` does, with tiles as small as memory asks.

    A try that failed leaves nothing behind: the next begins with all pixels unwritten.
    """

    def begin(smaller: ZSSRConfig) -> Tensor:
        members = len(ensemble_members(config, blur))
        passes = members if config.ensemble_back_projections == 0 else 1
        tiles = tile_count(smaller, network.unshuffle, box or whole(size)) * members // passes
        return enlarge(
            source,
            network,
            smaller,
            size=size,
            is_bf16=is_bf16,
            on_tile=progress.tile_reporter(tiles, len(source) * passes),
            on_pass=progress.alive,
            box=box,
            contrast=contrast,
            blur=blur,
        )

    return memory.with_smaller("patch_size", config, progress, begin)


def ensemble_members(config: ZSSRConfig, blur: Blur) -> tuple[int, ...]:
    """Return the rotations and flips that the self-ensemble goes through."""
    return blur.members(config.network_scale)[: config.ensemble_size]


def _trust_at(source: Tensor, enlarged: Tensor, scale: Scale, blur: Blur) -> Tensor:
    """Return the trust in the residual of `enlarged`, (N, 1, H', W')."""
    size = (enlarged.shape[-2], enlarged.shape[-1])
    return blur.enlarge(trust(source), size, scale).clamp_(0, 1)


def tile_side(config: ZSSRConfig, unshuffle: int) -> int:
    """Return the side of a tile's core in output pixels, a multiple of `unshuffle`."""
    return math.ceil(config.patch_size * mean(config.network_scale) / unshuffle) * unshuffle


def tile_count(config: ZSSRConfig, unshuffle: int, box: Box) -> int:
    """Return how many tiles cover a box of the output: what `enlarge` reports."""
    side = tile_side(config, unshuffle)
    down, across = (math.ceil((along.stop - along.start) / side) for along in box)
    return int(down * across)


def step_size(source: Tensor, scale: Scale) -> tuple[int, int]:
    """Return (height, width) of `source` (..., H, W) enlarged by `scale`."""
    return scaled_size((source.shape[-2], source.shape[-1]), scale)
