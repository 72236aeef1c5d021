"""Training pairs: hr_father crops with what their enlarged lr_son lacks."""

from bisect import bisect
from collections.abc import Iterator
from itertools import accumulate
from typing import Protocol

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.ops.dihedral import dihedral, dihedrals, representatives
from zssr_daemon.zssr.ops.padding import pad_to_multiple
from zssr_daemon.zssr.ops.resize import resize
from zssr_daemon.zssr.scale import Scale, inverse, scaled_size

# Sizes of the fathers, relative to the image. Sampling by area makes larger ones likelier,
# in proportion to their squared scale, as in the paper.
PYRAMID = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)

# A kernel that is not the same in all directions asks for a pyramid of each turned father. Where
# fathers have more pixels than this, some turns of each must do: there is enough to see.
TURNED_PIXELS = 2**18


class Pool(Protocol):
    """Where a fit gets its pairs."""

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (input, residual), both (count, C, side, side)."""
        ...


def shrink(
    father: Tensor,
    scale: Scale,
    *,
    is_rounded: bool = True,
    degradation: Degradation = IDEAL,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return the lr_son of a father (..., C, H, W), [0, 1]: shrunk by `scale`, rounded to 8 bits.

    Real sources carry that rounding, so the network had better see it; of noise and compression
    it sees what cleaning leaves. generator: of the noise, needed where there is some.
    """
    size = scaled_size((father.shape[-2], father.shape[-1]), inverse(scale))
    son = degradation.blur.shrink(father, size, scale).clamp(0, 1)
    spoilt = degradation.spoilt(son, is_rounded=is_rounded, generator=generator)
    return degradation.cleaned(spoilt)


class PairPool:
    """Father pyramids with their residuals, computed once; a crop is then one slice.

    Each entry is (2C, H, W): the enlarged son, centred, then father minus enlarged son.
    """

    def __init__(
        self,
        fathers: list[Tensor],
        *,
        scale: Scale,
        unshuffle: int,
        crop_size: int,
        dtype: torch.dtype,
        centre: float = 0.5,
        is_rounded: bool = True,
        degradation: Degradation = IDEAL,
        seed: int = 0,
    ) -> None:
        """Build from fathers (C, H, W) float32 in [0, 1]; `crop_size` in father pixels.

        seed: of the sons' noise.
        """
        self.unshuffle = unshuffle
        self._turns = degradation.blur.pair_turns(scale)
        generator = torch.Generator().manual_seed(seed)
        pairs = [
            pair_of(
                father,
                scale,
                unshuffle=unshuffle,
                centre=centre,
                is_rounded=is_rounded,
                degradation=degradation,
                generator=generator,
            ).to(dtype)
            for father in _turned([_pyramid(image) for image in fathers], scale, self._turns)
        ]
        largest = max(min(pair.shape[-2:]) for pair in pairs)
        # Crops are square so that rotated ones stack, and start on the unshuffle grid.
        self.crop_size = min(-(-crop_size // unshuffle) * unshuffle, largest)
        self._pairs = [pair for pair in pairs if min(pair.shape[-2:]) >= self.crop_size]
        self._areas = list(accumulate(pair.shape[-2] * pair.shape[-1] for pair in self._pairs))

    def sample(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw `count` crops, each under a random one of the rotations and flips.

        Returns (input, residual), both (count, C, crop_size, crop_size) in the pool's dtype.
        Those that shrinking commutes with are applied here, to the pair; the others were applied
        to the father, before it was shrunk.
        """
        draws = torch.rand(count, 4, generator=generator).tolist()
        inputs, residuals = torch.stack([self._crop(*draw) for draw in draws]).chunk(2, dim=1)
        return inputs, residuals

    def _crop(self, which: float, y: float, x: float, turn: float) -> Tensor:
        pair = self._pairs[bisect(self._areas, which * self._areas[-1])]
        top, left = (
            int(at * ((side - self.crop_size) // self.unshuffle + 1)) * self.unshuffle
            for at, side in ((y, pair.shape[-2]), (x, pair.shape[-1]))
        )
        crop = pair[:, top : top + self.crop_size, left : left + self.crop_size]
        return dihedral(crop, self._turns[int(turn * len(self._turns))])


def _pyramid(image: Tensor) -> list[Tensor]:
    """Return the image and its shrunken versions, (C, h, w) each."""
    height, width = image.shape[-2:]
    smaller = (
        resize(image, scaled_size((height, width), by), by).clamp(0, 1) for by in PYRAMID[1:]
    )
    return [image, *smaller]


def _turned(pyramids: list[list[Tensor]], scale: Scale, turns: tuple[int, ...]) -> Iterator[Tensor]:
    """Yield the fathers under the rotations and flips that `turns` cannot reach.

    turns: those that are applied to pairs. With many fathers each gets a part of the others only.
    """
    needed = representatives(dihedrals(scale), turns)
    pixels = sum(image.shape[-2] * image.shape[-1] for image, *_ in pyramids)
    count = max(1, min(len(needed), len(needed) * TURNED_PIXELS // pixels))
    for number, pyramid in enumerate(pyramids):
        for level, father in enumerate(pyramid):
            for each in range(count):
                yield dihedral(father, needed[((number + level) * count + each) % len(needed)])


def pair_of(
    father: Tensor,
    scale: Scale,
    *,
    unshuffle: int,
    centre: float,
    is_rounded: bool,
    degradation: Degradation = IDEAL,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return (2C, H, W) of one father: input and residual, padded to the unshuffle grid.

    centre: what is taken from the input, so that it lies about zero. generator: as in `shrink`.
    """
    son = shrink(father, scale, is_rounded=is_rounded, degradation=degradation, generator=generator)
    enlarged = degradation.blur.enlarge(son, (father.shape[-2], father.shape[-1]), scale)
    return pad_to_multiple(torch.cat([enlarged - centre, father - enlarged]), unshuffle)
