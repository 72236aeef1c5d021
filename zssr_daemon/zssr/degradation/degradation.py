"""Degradation: how a source was made from the wanted image: blur, noise and JPEG compression.

A source with noise or compression is cleaned before the fit, and the network learns from sons that
were spoilt and cleaned in the same way: it removes what is left, and restores what cleaning took.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.denoise import denoise
from zssr_daemon.zssr.degradation.jpeg import compress
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables
from zssr_daemon.zssr.degradation.noise_shape import WHITE, NoiseShape
from zssr_daemon.zssr.ops.wrap import Wrap

# Noise of this strength, levels of 255, halves the number of back-projections.
HALVING_NOISE_STD = 2.0

# Stronger noise, levels of 255, leaves no picture.
MAX_NOISE_STD = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """A blur, then noise, then rounding, then JPEG.

    The source is scaled by its own black and white, 0 and 1; all numbers are relative to these.
    """

    blur: Blur = BICUBIC
    noise_std: float = 0.0  # levels of 255
    noise_shape: NoiseShape = WHITE  # how that noise is spread
    keeps_grain: bool = False  # whether what cleaning takes out is put back into the result
    jpeg_quality: int | None = None  # 1 to 100; None: not compressed
    levels: int | None = 255  # steps from 0 to 1 that it was rounded to; None: not rounded
    jpeg_tables: JpegTables | None = None  # where they are known; else those of the quality

    def __post_init__(self) -> None:
        """Refuse values outside their ranges with a ValueError that names them."""
        if not 0 <= self.noise_std <= MAX_NOISE_STD:
            raise ValueError(f"noise_std = {self.noise_std}: must be from 0 to {MAX_NOISE_STD}")
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality = {self.jpeg_quality}: must be from 1 to 100")
        if self.levels is not None and self.levels < 1:
            raise ValueError(f"levels = {self.levels}: must be at least 1")

    @property
    def is_clean(self) -> bool:
        """Whether the source was shrunk, and nothing else happened to it."""
        return self.noise_std == 0 and self.jpeg_quality is None

    def wrapping(self, wrap: Wrap) -> "Degradation":
        """Return the same for an image with that wrap. JPEG compression never knows of it."""
        return replace(self, blur=self.blur.wrapping(wrap))

    def adapted(self, config: ZSSRConfig) -> ZSSRConfig:
        """Return `config` as a source of this kind needs it.

        With a kernel one pass reaches the whole scale: a network that also removes a blur must not
        be applied to its own output; `model_pairs` are left out where no start has them. With noise
        or compression there are fewer back-projections, since they hold the result to the faults
        of the source too; and the weakest residuals are no longer noise.

        Raises:
            ValueError: with a kernel the total scale is more than 8.
        """
        has_kernel = isinstance(self.blur, Kernel)
        config = config.for_source(has_kernel=has_kernel)
        if self.is_clean:
            return config
        kept = 1 / (1 + (self.noise_std / HALVING_NOISE_STD) ** 2)
        share = kept if self.jpeg_quality is None else 0.0
        return replace(
            config,
            faint_residual=0.0,
            back_projections=round(share * config.back_projections),
            ensemble_back_projections=round(share * config.ensemble_back_projections),
        )

    def spoilt(self, son: Tensor, *, is_rounded: bool, generator: torch.Generator | None) -> Tensor:
        """Return a shrunk son (..., C, H, W), [0, 1], with the noise and compression of the source.

        is_rounded: whether to round it as the source is; JPEG rounds to 8 bits in any case.
        generator: draws the noise; None where there is none.
        """
        if self.noise_std > 0:
            assert generator is not None, "noise is drawn from a generator"
            noise = self.noise_shape.drawn(son, generator)
            son = (son + noise * (self.noise_std / 255)).clamp(0, 1)
        if is_rounded and self.levels is not None:
            son = son.mul(self.levels).round().div(self.levels)
        if self.jpeg_quality is None:
            return son
        return compress(son, self.jpeg_tables or JpegTables.of_quality(self.jpeg_quality))

    def cleaned(self, source: Tensor, on_strip: Callable[[], None] = lambda: None) -> Tensor:
        """Return (..., C, H, W), [0, 1], without its noise; on_strip is called after each strip."""
        if self.noise_std == 0:
            return source
        return denoise(source, self.noise_std, on_strip, self.blur.wrap, self.noise_shape)


IDEAL = Degradation()
