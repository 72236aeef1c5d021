"""Palette: the colours of one picture, which go together as those of one scene do."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from zssr_daemon.zssr.start.stamps import Array

# Directions in RGB: brightness; warm against cold, as daylight varies; green against purple.
AXES = np.array([[1.0, 1.0, 1.0], [1.0, -0.2, -0.8], [-0.5, 0.7, -0.5]], np.float32)

# Share of colours whose brightness is drawn from the whole range and not near the picture's own.
OUTLIERS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """A normal distribution of colours along `AXES`, cut to [0, 1]."""

    brightness: float  # mean
    spread: float  # standard deviation of the brightness
    chroma: tuple[float, float]  # standard deviations along the two colour axes
    tint: tuple[float, float]  # means along the two colour axes

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Self:
        """Draw the palette of a picture: pale or rich, dark or light, tinted or not."""
        return cls(
            brightness=rng.uniform(0.25, 0.75),
            spread=rng.uniform(0.1, 0.24),
            chroma=(rng.uniform(0.01, 0.12), rng.uniform(0.01, 0.08)),
            tint=(rng.normal(0, 0.05), rng.normal(0, 0.03)),
        )

    def colours(self, rng: np.random.Generator, count: int) -> Array:
        """Return (count, 3) float32 in [0, 1]."""
        brightness = rng.normal(self.brightness, self.spread, count)
        is_outlier = rng.random(count) < OUTLIERS
        brightness = np.where(is_outlier, rng.uniform(0, 1, count), brightness)
        chroma = rng.normal(self.tint, self.chroma, (count, 2))
        amounts = np.column_stack([brightness, chroma]).astype(np.float32)
        return np.asarray(np.clip(amounts @ AXES, 0, 1))

    def direction(self, rng: np.random.Generator, count: int) -> Array:
        """Return (count, 3): how a texture's value moves the colour; mostly its brightness."""
        chroma = rng.normal(0, 1, (count, 2)) * self.chroma * 2
        amounts = np.column_stack([np.ones(count), chroma]).astype(np.float32)
        return np.asarray(amounts @ AXES)
