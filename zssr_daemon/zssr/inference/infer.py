"""Inference: one pass of the network over an image, tile by tile."""

from collections.abc import Callable

import torch
from torch import Tensor

from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.inference.residual_trust import contrast as measure_contrast
from zssr_daemon.zssr.inference.residual_trust import credit, trust
from zssr_daemon.zssr.inference.self_ensemble import reduce_members, self_ensemble
from zssr_daemon.zssr.inference.tiles import Box, whole
from zssr_daemon.zssr.ops.padding import pad_to_multiple
from zssr_daemon.zssr.scale import Scale, scaled_size


def apply_network(
    fitted: FittedNetwork,
    source: Tensor,
    *,
    size: tuple[int, int],
    box: Box | None = None,
    contrast: Tensor | None = None,
) -> Tensor:
    """Return `source` at the network's scale: bicubic plus the self-ensembled residual.

    source: (N, C, H, W) float32, [0, 1]; size: (height, width) of the result.
    box, contrast: of a strip. The residual is computed inside `box` only, rows and columns of the
    result that begin on the unshuffle grid; `contrast` is that of the whole image.
    Returns (N, C, *size) float32, not clipped. Progress hears of each tile and of each calculation
    on the whole source. Where memory is short, all begins anew with smaller tiles.

    Raises:
        OutOfMemoryError: the smallest tiles are too much.
    """
    return fitted.within_memory(lambda smaller: _apply_once(smaller, source, size, box, contrast))


@torch.no_grad()
def _apply_once(
    fitted: FittedNetwork,
    source: Tensor,
    size: tuple[int, int],
    box: Box | None,
    contrast: Tensor | None,
) -> Tensor:
    """Do what `apply_network` does, with tiles of the side that `fitted` has."""
    config, blur, alive = fitted.config, fitted.blur, fitted.progress.alive
    scale, times = config.network_scale, config.ensemble_back_projections
    on_tile = _tile_reporter(fitted, len(source), box or whole(size))
    enlarged = pad_to_multiple(blur.enlarge(source, size, scale), fitted.unshuffle, blur.wrap)
    alive()
    trusted = _trust_at(source, enlarged, fitted) if config.alias_guard else 1.0
    alive()

    def with_residual(members: tuple[int, ...]) -> Tensor:
        residual = _tiled_residual(fitted, enlarged, members, on_tile, box)
        if config.faint_residual > 0:
            span = measure_contrast(source) if contrast is None else contrast
            residual.mul_(credit(residual, span, config.faint_residual, blur.wrap))
            alive()
        return residual.mul_(trusted).add_(enlarged)[..., : size[0], : size[1]]

    if times == 0:
        return with_residual(fitted.members)
    results = [
        back_project(with_residual((member,)), source, scale, times, alive, blur=blur)
        for member in fitted.members
    ]
    return reduce_members(torch.stack(results), config.ensemble_reduce)


def _tile_reporter(fitted: FittedNetwork, images: int, box: Box) -> Callable[[int], None]:
    """Return a function that reports each tile of a pass over a batch of `images`."""
    members = len(fitted.members)
    # The members go through a tile together, unless each has a whole result of its own.
    together = members if fitted.config.ensemble_back_projections == 0 else 1
    tiles = fitted.tile_count(box) * members // together
    return fitted.progress.tile_reporter(tiles, images * together)


def _tiled_residual(
    fitted: FittedNetwork,
    enlarged: Tensor,
    members: tuple[int, ...],
    on_tile: Callable[[int], None],
    box: Box | None,
) -> Tensor:
    """Return the residual of (N, C, H, W), the mean or median over some rotations and flips."""
    corner_grid = fitted.unshuffle if fitted.blur.is_about_corner else None

    def of_tile(tile: Tensor) -> Tensor:
        return self_ensemble(
            fitted.residual,
            tile,
            members=members,
            reduce=fitted.config.ensemble_reduce,
            corner_grid=corner_grid,
        )

    return fitted.tiled(
        of_tile,
        enlarged,
        tile=fitted.tile_side,
        halo=fitted.halo + (corner_grid or 0),
        on_tile=on_tile,
        box=box,
    )


def _trust_at(source: Tensor, enlarged: Tensor, fitted: FittedNetwork) -> Tensor:
    """Return the trust in the residual of `enlarged`, (N, 1, H', W')."""
    size = (enlarged.shape[-2], enlarged.shape[-1])
    trusted = trust(source, fitted.blur.wrap)
    return fitted.blur.enlarge(trusted, size, fitted.config.network_scale).clamp_(0, 1)


def enlarged_size(source: Tensor, scale: Scale) -> tuple[int, int]:
    """Return (height, width) of `source` (..., H, W) enlarged by `scale`."""
    return scaled_size((source.shape[-2], source.shape[-1]), scale)
