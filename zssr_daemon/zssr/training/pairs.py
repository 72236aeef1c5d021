"""PairPool: training pairs of a pyramid of fathers, computed once, from which crops are drawn."""

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor

from zssr_daemon.zssr.ops.dihedral import KEEPING_AXES, dihedral, dihedrals, representatives
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.ops.wrap import Wrap, continued
from zssr_daemon.zssr.scale import scaled_size
from zssr_daemon.zssr.training.pair_rule import PairRule

# Sizes of the fathers, relative to the image. A father is drawn in proportion to its area, so to
# its squared scale, as in the paper.
PYRAMID = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)

# A kernel that is not the same in all directions needs a pyramid of each turned father. Fathers
# with more pixels than this in all show enough already: each of them is turned in some ways only.
TURNED_PIXELS = 2**18


class Pool(Protocol):
    """The source of a fit's training pairs."""

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (input, residual), both (count, C, side, side)."""
        ...


class PairPool:
    """Pyramids of fathers with their residuals, computed once; a crop is then one slice.

    Each entry is (2C, H, W): the enlarged son minus the centre, then father minus enlarged son.
    Where the image wraps its fathers do too, and crops may lie across the seam.
    """

    def __init__(
        self, fathers: list[Tensor], rule: PairRule, *, crop_size: int, dtype: torch.dtype
    ) -> None:
        """Build from fathers (C, H, W) float32 in [0, 1]; `crop_size` is in father pixels."""
        self._unshuffle = rule.unshuffle
        self._turns = rule.blur.pair_turns(rule.scale)
        wrap, generator = rule.blur.wrap, rule.noise_generator()
        pyramids = [_pyramid(image, wrap) for image in fathers]
        of = dihedrals(rule.scale) if wrap.x == wrap.y else KEEPING_AXES
        needed = representatives(of, self._turns)
        pairs = [rule.pair(father, generator).to(dtype) for father in _turned(pyramids, needed)]
        largest = max(self._shorter_side(pair) for pair in pairs)
        # Crops are square so that turned ones stack, and start on the unshuffle grid.
        self.crop_size = min(-(-crop_size // rule.unshuffle) * rule.unshuffle, largest)
        kept = [pair for pair in pairs if self._shorter_side(pair) >= self.crop_size]
        self._areas = list(accumulate(pair.shape[-2] * pair.shape[-1] for pair in kept))
        self._pairs = [self._beyond_seam(pair, wrap) for pair in kept]

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw `count` crops, each under a random one of the 8 rotations and flips.

        Returns (input, residual), both (count, C, crop_size, crop_size) in the pool's dtype.
        A rotation or flip that may follow the shrinking is applied here, to the pair. The others
        were applied to the father, before it was shrunk.
        """
        draws = torch.rand(count, 4, generator=generator).tolist()
        inputs, residuals = torch.stack([self._crop(*draw) for draw in draws]).chunk(2, dim=1)
        return inputs, residuals

    def _shorter_side(self, pair: Tensor) -> int:
        """Return the shorter side of a pair on the unshuffle grid, pixels."""
        return -(-min(pair.shape[-2:]) // self._unshuffle) * self._unshuffle

    def _beyond_seam(self, pair: Tensor, wrap: Wrap) -> Tensor:
        """Continue a pair on the axes that wrap, so that a crop can begin anywhere on the grid."""
        right, bottom = (-side % self._unshuffle for side in (pair.shape[-1], pair.shape[-2]))
        more = self.crop_size - self._unshuffle
        return continued(pair, wrap.ends(0, right + more, 0, bottom + more), wrap)

    def _crop(self, which: float, y: float, x: float, turn: float) -> Tensor:
        """Return the crop that four random numbers in [0, 1) choose."""
        pair = self._pairs[bisect(self._areas, which * self._areas[-1])]
        top, left = (
            int(at * ((side - self.crop_size) // self._unshuffle + 1)) * self._unshuffle
            for at, side in ((y, pair.shape[-2]), (x, pair.shape[-1]))
        )
        crop = pair[:, top : top + self.crop_size, left : left + self.crop_size]
        return dihedral(crop, self._turns[int(turn * len(self._turns))])


def _pyramid(image: Tensor, wrap: Wrap) -> list[Tensor]:
    """Return the image and its shrunken versions, (C, h, w) each."""
    height, width = image.shape[-2:]
    smaller = (
        resize(image, scaled_size((height, width), by), by, wrap).clamp(0, 1) for by in PYRAMID[1:]
    )
    return [image, *smaller]


def _turned(pyramids: list[list[Tensor]], needed: tuple[int, ...]) -> Iterator[Tensor]:
    """Yield the fathers under the rotations and flips that cannot be applied to pairs.

    needed: their indices. Where the fathers are large, each of them is yielded under some of these
    only.
    """
    pixels = sum(image.shape[-2] * image.shape[-1] for image, *_ in pyramids)
    count = max(1, min(len(needed), len(needed) * TURNED_PIXELS // pixels))
    for number, pyramid in enumerate(pyramids):
        for level, father in enumerate(pyramid):
            for each in range(count):
                yield dihedral(father, needed[((number + level) * count + each) % len(needed)])
