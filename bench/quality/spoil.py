"""Spoil: noise and JPEG compression that are put on a source before it is measured."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True)
class Spoil:
    """White Gaussian noise, then JPEG compression with Pillow's default subsampling (4:2:0)."""

    noise_std: float = 0.0  # levels of 255
    jpeg_quality: int | None = None

    @property
    def label(self) -> str:
        """The suffix for the name of a set."""
        noise = f"-noise{self.noise_std:g}" if self.noise_std > 0 else ""
        return noise + (f"-jpeg{self.jpeg_quality}" if self.jpeg_quality is not None else "")

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the spoilt picture as RGB; the noise is the same every time."""
        pixels = np.asarray(image.convert("RGB"))
        if self.noise_std > 0:
            noise = np.random.default_rng(0).normal(0, self.noise_std, pixels.shape)
            pixels = np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8)
        spoilt = Image.fromarray(pixels)
        if self.jpeg_quality is None:
            return spoilt
        stream = io.BytesIO()
        spoilt.save(stream, "JPEG", quality=self.jpeg_quality)
        return Image.open(stream).convert("RGB")


UNSPOILT = Spoil()
