"""PairRule: how an hr_father and its lr_son become one training pair."""

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Blur
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.network import input_centre
from zssr_daemon.zssr.ops.padding import pad_to_multiple
from zssr_daemon.zssr.ops.wrap import Wrap
from zssr_daemon.zssr.scale import Scale, inverse, scaled_size, unshuffle_factor
from zssr_daemon.zssr.training.earlier_passes import EarlierPasses


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRule:
    """Make every lr_son as the source was made, and every pair as the network needs it."""

    scale: Scale  # of one pass
    unshuffle: int = 2  # the sides of a pair are multiples of it, pixels
    centre: float = 0.5  # subtracted from the network's input, so that it lies about zero
    is_rounded: bool = True  # whether sons are rounded as the source is, by degradation.levels
    degradation: Degradation = IDEAL  # of the source, and so of the sons
    noise_seed: int = 0
    earlier: EarlierPasses | None = None  # of a later pass, whose sons are what these make

    @classmethod
    def of(cls, config: ZSSRConfig, degradation: Degradation = IDEAL) -> Self:
        """Return the rule of a fit with `config` on a source of that degradation."""
        return cls(
            scale=config.network_scale,
            unshuffle=unshuffle_factor(config.network_scale, config.model_variant),
            centre=input_centre(config.model_variant),
            is_rounded=config.son_rounding,
            degradation=degradation,
            noise_seed=config.seed,
        )

    @property
    def blur(self) -> Blur:
        """The blur with which sons are shrunk."""
        return self.degradation.blur

    def within(self, wrap: Wrap) -> Self:
        """Return the rule for an image, or for parts of one, with that wrap."""
        return replace(self, degradation=self.degradation.wrapping(wrap))

    def noise_generator(self) -> torch.Generator:
        """Return a new generator for the noise of sons, always with the same seed."""
        return torch.Generator().manual_seed(self.noise_seed)

    def lr_son(self, hr_father: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return the son of a father (..., C, H, W) float32 in [0, 1]: shrunk, spoilt, cleaned.

        The source was rounded to levels, so the network learns from sons with the same rounding.
        Of noise and compression it sees what cleaning leaves, as it does in the source. For a later
        pass it is shrunk by all passes, and enlarged by the earlier ones.
        generator: draws the noise; needed where the degradation has noise.
        """
        scale = self.scale if self.earlier is None else self.earlier.total
        size = scaled_size((hr_father.shape[-2], hr_father.shape[-1]), inverse(scale))
        son = self.blur.shrink(hr_father, size, scale).clamp(0, 1)
        spoilt = self.degradation.spoilt(son, is_rounded=self.is_rounded, generator=generator)
        cleaned = self.degradation.cleaned(spoilt)
        return cleaned if self.earlier is None else self.earlier.run(cleaned, self.blur)

    def pair(self, hr_father: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return (2C, H', W') of a father (C, H, W): the network's input, then the residual.

        The input is the enlarged son minus `centre`; the residual is what the enlarged son lacks.
        H' and W' are H and W padded to multiples of `unshuffle`, unless the image wraps there.
        generator: as in `lr_son`.
        """
        son = self.lr_son(hr_father, generator)
        enlarged = self.blur.enlarge(son, (hr_father.shape[-2], hr_father.shape[-1]), self.scale)
        pair = torch.cat([enlarged - self.centre, hr_father - enlarged])
        return pad_to_multiple(pair, self.unshuffle, self.blur.wrap)
