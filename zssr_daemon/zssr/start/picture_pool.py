"""PicturePool: drawn pictures as training pairs, from which crops are taken; renewed one by one."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.degradation.jpeg_tables import HALVED, JpegTables
from zssr_daemon.zssr.ops.dihedral import dihedral
from zssr_daemon.zssr.ops.luma import luma
from zssr_daemon.zssr.start.drawing import draw
from zssr_daemon.zssr.start.recipe import Recipe
from zssr_daemon.zssr.training.pair_rule import PairRule

TURNS = 8  # rotations and flips of a crop


def drawn_picture(recipe: Recipe, number: int) -> Tensor:
    """Return picture `number` of the endless row of a recipe, (C, side, side) float32 in [0, 1].

    Rounded to 8 bits, as the sources of fits are. Each picture has a generator of its own.
    """
    rng = np.random.default_rng([recipe.seed, number])
    picture = torch.from_numpy(draw(rng, recipe.side)).mul(255).round().div(255)
    return picture if recipe.channels == 3 else luma(picture)[None]


def degradation_of_picture(recipe: Recipe, number: int) -> Degradation:
    """Return how the son of picture `number` is made besides shrinking it.

    The logarithm of the noise's strength is uniform. Of compressed pictures, two of three have
    their chroma halved, as nearly all JPEGs of the web have.
    """
    rng = np.random.default_rng([recipe.seed, number, 1])
    if recipe.noises is not None:
        return Degradation(noise_std=float(np.exp(rng.uniform(*np.log(recipe.noises)))))
    if recipe.qualities is None:
        return IDEAL
    least, most = recipe.qualities
    quality = int(rng.integers(least, most + 1))
    tables = JpegTables.of_quality(quality, HALVED if rng.random() < 2 / 3 else (1, 1))
    return Degradation(jpeg_quality=quality, jpeg_tables=tables)


class PicturePool:
    """The newest pictures of the row, each a pair (2C, H, W) made by the rule of fits."""

    def __init__(self, recipe: Recipe, dtype: torch.dtype, *, drawn: int = 0) -> None:
        """Draw the first pictures, or those that a pool would have after `drawn` renewals."""
        self._recipe = recipe
        self._unshuffle = PairRule.of(recipe.config).unshuffle
        self._dtype = dtype
        self._next = recipe.pool + drawn
        numbers = sorted(range(drawn, self._next), key=lambda number: number % recipe.pool)
        self._pairs = [self._pair(number) for number in numbers]

    def renew(self) -> None:
        """Draw the next picture in place of the oldest."""
        self._pairs[self._next % self._recipe.pool] = self._pair(self._next)
        self._next += 1

    def sample(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (input, residual) of random crops, rotated and flipped at random.

        Both (batch_size, C, crop_size, crop_size) in the pool's dtype.
        """
        recipe, step = self._recipe, self._unshuffle
        places = (recipe.side - recipe.crop_size) // step + 1
        limits = torch.tensor([recipe.pool, places, places, TURNS])
        draws = torch.rand(recipe.batch_size, 4, generator=generator)
        crops = [
            self._crop(which, row * step, column * step, turn)
            for which, row, column, turn in (draws * limits).long().tolist()
        ]
        inputs, residuals = torch.stack(crops).chunk(2, dim=1)
        return inputs, residuals

    def _crop(self, which: int, top: int, left: int, turn: int) -> Tensor:
        side = self._recipe.crop_size
        return dihedral(self._pairs[which][:, top : top + side, left : left + side], turn)

    def _pair(self, number: int) -> Tensor:
        rule = PairRule.of(self._recipe.config, degradation_of_picture(self._recipe, number))
        noise = replace(rule, noise_seed=number).noise_generator()
        return rule.pair(drawn_picture(self._recipe, number), noise).to(self._dtype)
