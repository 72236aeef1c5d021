"""The guard: compare how network and bicubic rebuild the image from its own son.

It catches fits that died (residual zero) or diverged. The truth stays unknown, so this says
whether a network works, not how good it is.
"""

import math

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.inference.back_projection import back_project
from zssr_daemon.zssr.inference.infer import predict_residual
from zssr_daemon.zssr.inference.tiles import apply_tiled
from zssr_daemon.zssr.network import ResidualNet, receptive_radius
from zssr_daemon.zssr.ops.padding import pad_to_multiple
from zssr_daemon.zssr.training.pairs import shrink

# A dead network equals bicubic to the last digit; a living one is 0.3 to 3 dB better.
LEAST_GAIN_DB = 0.02

# What a warm fit must gain: weights of other images may help a little and a cold fit more.
LEAST_WARM_GAIN_DB = 0.2

# Mean squared error that the 8-bit rounding of the son alone can cause (54 dB); where bicubic is
# no worse there is nothing to learn.
NOTHING_TO_LEARN = (0.5 / 255) ** 2


class Guard:
    """Rebuild the parts of an image from their own sons, by bicubic and by a network."""

    def __init__(
        self, parts: list[Tensor], config: ZSSRConfig, degradation: Degradation = IDEAL
    ) -> None:
        """Take the parts a fit looks at, (C, h, w) float32 in [0, 1]."""
        self._scale = config.network_scale
        self._blur = degradation.blur
        self._times = config.back_projections
        self._depth, self._kernel_size = config.model_depth, config.model_kernel_size
        self._parts = [part.unsqueeze(0) for part in parts]
        generator = torch.Generator().manual_seed(config.seed)
        self._sons = [
            shrink(
                part,
                self._scale,
                is_rounded=config.son_rounding,
                degradation=degradation,
                generator=generator,
            )
            for part in self._parts
        ]
        self.bicubic_mse = self._mse(None, is_bf16=False)

    @property
    def is_flat(self) -> bool:
        """Whether bicubic rebuilds the image exactly, as it does one colour or one pixel."""
        return self.bicubic_mse <= NOTHING_TO_LEARN

    def network_mse(self, network: ResidualNet, *, is_bf16: bool, tile: int | None = None) -> float:
        """Return the network's mean squared error after back-projection, without ensemble.

        tile: the side of the tiles, pixels of the part, on the network's grid; None: the whole.
        """
        return self._mse(network, is_bf16=is_bf16, tile=tile)

    def is_alive(self, mse: float, least_gain_db: float = LEAST_GAIN_DB) -> bool:
        """Tell whether `mse` is better than bicubic with back-projection; NaN is not."""
        return mse < self.bicubic_mse * 10 ** (-least_gain_db / 10)

    @torch.no_grad()
    def _mse(self, network: ResidualNet | None, *, is_bf16: bool, tile: int | None = None) -> float:
        squared, count = 0.0, 0
        for part, son in zip(self._parts, self._sons, strict=True):
            size = (part.shape[-2], part.shape[-1])
            enlarged = self._blur.enlarge(son, size, self._scale)
            if network is not None:
                enlarged = enlarged + self._residual(network, enlarged, is_bf16, tile)
            rebuilt = back_project(enlarged, son, self._scale, self._times, blur=self._blur)
            squared += (rebuilt - part).square().sum(dtype=torch.float64).item()
            count += part.numel()
        return squared / count

    def _residual(
        self, network: ResidualNet, enlarged: Tensor, is_bf16: bool, tile: int | None
    ) -> Tensor:
        padded = pad_to_multiple(enlarged, network.unshuffle)
        residual = apply_tiled(
            lambda part: predict_residual(network, part, is_bf16=is_bf16),
            padded,
            tile=tile or max(padded.shape[-2:]),
            halo=receptive_radius(
                depth=self._depth, kernel_size=self._kernel_size, unshuffle=network.unshuffle
            ),
            on_tile=lambda _: None,
        )
        return residual[..., : enlarged.shape[-2], : enlarged.shape[-1]]


def psnr_db(mse: float) -> float:
    """Return the peak signal-to-noise ratio (dB) for a peak of 1, at most 120."""
    return -10 * math.log10(max(mse, 1e-12))
