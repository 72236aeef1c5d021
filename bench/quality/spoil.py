"""Spoil: noise and JPEG compression that are put on a source before it is measured."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from zssr_daemon.imaging.coding.jpeg_coding import read_jpeg_tables
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables


@dataclass(frozen=True, slots=True)
class Spoil:
    """White Gaussian noise, then JPEG compression."""

    noise_std: float = 0.0  # levels of 255
    jpeg_quality: int | None = None
    subsampling: str = "4:2:0"  # of the chroma, Pillow's default

    @property
    def label(self) -> str:
        """The suffix for the name of a set."""
        noise = f"-noise{self.noise_std:g}" if self.noise_std > 0 else ""
        if self.jpeg_quality is None:
            return noise
        chroma = "" if self.subsampling == "4:2:0" else f"-{self.subsampling.replace(':', '')}"
        return f"{noise}-jpeg{self.jpeg_quality}{chroma}"

    def __call__(self, image: Image.Image) -> Image.Image:
        """Return the spoilt picture as RGB; the noise is the same every time."""
        noisy = self._noisy(image)
        if self.jpeg_quality is None:
            return noisy
        return Image.open(io.BytesIO(self._file(noisy))).convert("RGB")

    def tables(self, image: Image.Image) -> JpegTables | None:
        """Return what the file of the spoilt picture tells of its compression."""
        return None if self.jpeg_quality is None else read_jpeg_tables(self._file(image))

    def _noisy(self, image: Image.Image) -> Image.Image:
        pixels = np.asarray(image.convert("RGB"))
        if self.noise_std > 0:
            noise = np.random.default_rng(0).normal(0, self.noise_std, pixels.shape)
            pixels = np.clip(np.round(pixels + noise), 0, 255).astype(np.uint8)
        return Image.fromarray(pixels)

    def _file(self, image: Image.Image) -> bytes:
        stream = io.BytesIO()
        image.convert("RGB").save(
            stream, "JPEG", quality=self.jpeg_quality, subsampling=self.subsampling
        )
        return stream.getvalue()


UNSPOILT = Spoil()
