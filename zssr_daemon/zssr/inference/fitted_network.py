"""FittedNetwork: the network of one image with all that is needed to run it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur
from zssr_daemon.zssr.device import Memory
from zssr_daemon.zssr.inference.tiles import Box, Forward, apply_tiled, whole
from zssr_daemon.zssr.network import ResidualNet
from zssr_daemon.zssr.ops.wrap import continued
from zssr_daemon.zssr.progress import Progress
from zssr_daemon.zssr.scale import Scale, mean

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedNetwork:
    """A network, its parameters, the blur of its image, the memory, and who hears of progress."""

    network: ResidualNet
    config: ZSSRConfig
    is_bf16: bool  # whether its convolutions compute in bf16
    blur: Blur = BICUBIC  # of the image
    memory: Memory
    progress: Progress

    @property
    def unshuffle(self) -> int:
        """The unshuffle factor: the sides of the network's input are multiples of it, pixels."""
        return self.network.unshuffle

    @property
    def halo(self) -> int:
        """How far around a tile the network looks, in output pixels."""
        return self.network.receptive_radius

    @property
    def tile_side(self) -> int:
        """The side of a tile without its halo, in output pixels, a multiple of `unshuffle`."""
        side = self.config.patch_size * mean(self.config.network_scale)
        return math.ceil(side / self.unshuffle) * self.unshuffle

    def tile_count(self, box: Box) -> int:
        """Return how many tiles cover a box of the output."""
        down, across = (math.ceil((along.stop - along.start) / self.tile_side) for along in box)
        return int(down * across)

    @property
    def members(self) -> tuple[int, ...]:
        """The rotations and flips of the self-ensemble."""
        return ensemble_members(self.config, self.blur)

    def residual(self, enlarged: Tensor) -> Tensor:
        """Return the predicted residual, float32, of one tile.

        enlarged: (N, C, H, W) float32 in [0, 1], H and W multiples of `unshuffle`; the residual
        has the same shape.
        """
        with torch.autocast(enlarged.device.type, torch.bfloat16, enabled=self.is_bf16):
            residual: Tensor = self.network(enlarged - self.network.centre)
        return residual.float()

    def tiled(
        self,
        forward: Forward,
        image: Tensor,
        *,
        tile: int,
        halo: int,
        on_tile: Callable[[int], None],
        box: Box | None = None,
    ) -> Tensor:
        """Return forward(image) of an image that may wrap; parameters as in `apply_tiled`.

        image: (N, C, H, W), padded to multiples of `unshuffle` on the axes that do not wrap. Along
        the others the tiles look around the seam.
        """
        height, width = image.shape[-2:]
        wrap, unshuffle = self.blur.wrap, self.unshuffle
        right, bottom = (-side % unshuffle + halo for side in (width, height))
        left, _, top, _ = ends = wrap.ends(halo, right, halo, bottom)
        rows, columns = box or whole((height, width))
        done = apply_tiled(
            forward,
            continued(image, ends, wrap),
            tile=tile,
            halo=halo,
            on_tile=on_tile,
            box=(_on_grid(rows, top, unshuffle), _on_grid(columns, left, unshuffle)),
        )
        return done[..., top : top + height, left : left + width]

    def within_memory(self, step: Callable[["FittedNetwork"], Result]) -> Result:
        """Return step(this network), its tiles halved until the device's memory suffices.

        Raises:
            OutOfMemoryError: the smallest tiles are too much.
        """
        return self.memory.with_smaller(
            "patch_size",
            self.config,
            self.progress,
            lambda smaller: step(replace(self, config=smaller)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NoNetwork:
    """What stands in for a network where no fit succeeded: resizing alone."""

    config: ZSSRConfig
    blur: Blur = BICUBIC
    progress: Progress

    @property
    def unshuffle(self) -> int:
        """Every side is allowed."""
        return 1

    def enlarge(self, source: Tensor, size: tuple[int, int], scale: Scale) -> Tensor:
        """Return (N, C, H, W) enlarged by `scale` to `size` (height, width), not clipped."""
        members = len(ensemble_members(self.config, self.blur))
        report = self.progress.tile_reporter(1, len(source) * members)
        enlarged = self.blur.enlarge(source, size, scale)
        report(size[0] * size[1])
        return enlarged


def _on_grid(along: slice, offset: int, unshuffle: int) -> slice:
    """Move a side of a box by `offset`, and end it on the unshuffle grid."""
    return slice(along.start + offset, along.stop + -along.stop % unshuffle + offset)


def ensemble_members(config: ZSSRConfig, blur: Blur) -> tuple[int, ...]:
    """Return the rotations and flips of the self-ensemble, for an image of that blur."""
    return blur.members(config.network_scale)[: config.ensemble_size]
