"""The guard: compare how network and bicubic rebuild the image from its own son.

It catches fits that died (residual zero) or diverged. The truth stays unknown, so this says
whether a network works, not how good it is.
"""

import math

import torch
from torch import Tensor

from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.inference.fitted_network import FittedNetwork
from zssr_daemon.zssr.ops.padding import pad_to_multiple
from zssr_daemon.zssr.training.pair_rule import PairRule

# A dead network equals bicubic to the last digit; a living one is 0.3 to 3 dB better.
MIN_GAIN_DB = 0.02

# What weights may lack to bicubic and still be used as they are, without a fit. They were never
# fitted to this image, and the son has less to show than the image: a drawn start measured 0.2 to
# 4.4 dB above bicubic on photographs, but down to 0.06 below it on noise or where little is to be
# learnt. Where it lacks more, as 0.1 to 0.3 dB under JPEG, it needs the fit.
MAX_START_LOSS_DB = 0.1

# Mean squared error that rounding the son to 255 levels can cause by itself (54 dB); where bicubic
# is no worse there is nothing to learn.
NOTHING_TO_LEARN = (0.5 / 255) ** 2


class Guard:
    """Rebuilds the parts of an image from their own sons, by bicubic and by a network."""

    def __init__(self, parts: list[Tensor], rule: PairRule, *, back_projections: int) -> None:
        """Take the parts that the fit looks at, (C, h, w) float32 in [0, 1]."""
        self._rule = rule
        self._back_projections = back_projections
        self._parts = [part.unsqueeze(0) for part in parts]
        generator = rule.noise_generator()
        self._sons = [rule.lr_son(part, generator) for part in self._parts]
        self.bicubic_mse = self._mse(None)

    @property
    def is_flat(self) -> bool:
        """Whether bicubic rebuilds the image exactly, as it does one colour or one pixel."""
        return self.bicubic_mse <= NOTHING_TO_LEARN

    def network_mse(self, fitted: FittedNetwork) -> float:
        """Return the network's mean squared error after back-projection, without ensemble.

        A part is passed through the network as a whole, unless memory is short.
        """
        return self._mse(fitted)

    def is_alive(self, mse: float) -> bool:
        """Tell whether a fit that ends with `mse` has learnt anything; NaN has not."""
        return self._gains(mse, MIN_GAIN_DB)

    def is_good_start(self, mse: float) -> bool:
        """Tell whether weights with `mse` may be used without a fit; with NaN they may not."""
        return self._gains(mse, -MAX_START_LOSS_DB)

    def _gains(self, mse: float, gain_db: float) -> bool:
        """Tell whether `mse` is so much better than that of bicubic with back-projection."""
        return mse < self.bicubic_mse * 10 ** (-gain_db / 10)

    @torch.no_grad()
    def _mse(self, fitted: FittedNetwork | None) -> float:
        squared, count = 0.0, 0
        scale, blur = self._rule.scale, self._rule.blur
        for part, son in zip(self._parts, self._sons, strict=True):
            size = (part.shape[-2], part.shape[-1])
            enlarged = blur.enlarge(son, size, scale)
            if fitted is not None:
                enlarged = enlarged + _residual(fitted, enlarged)
            rebuilt = back_project(enlarged, son, scale, self._back_projections, blur=blur)
            squared += (rebuilt - part).square().sum(dtype=torch.float64).item()
            count += part.numel()
        return squared / count


def _residual(fitted: FittedNetwork, enlarged: Tensor) -> Tensor:
    padded = pad_to_multiple(enlarged, fitted.unshuffle, fitted.blur.wrap)
    side = -(-max(padded.shape[-2:]) // fitted.unshuffle) * fitted.unshuffle
    residual = fitted.tiled(
        fitted.residual,
        padded,
        tile=fitted.tile_side if fitted.memory.is_short else side,
        halo=fitted.halo,
        on_tile=lambda _: None,
    )
    return residual[..., : enlarged.shape[-2], : enlarged.shape[-1]]


def psnr_db(mse: float) -> float:
    """Return the peak signal-to-noise ratio (dB) for a peak of 1, at most 120."""
    return -10 * math.log10(max(mse, 1e-12))
