"""Spoil: noise and JPEG compression that are put on a source before it is measured."""

import argparse
import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from zssr_daemon.imaging.coding.jpeg_coding import read_jpeg_tables
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables

# Of the variance of a camera's noise at mid grey, the share that grows with light (photons); the
# rest is the same everywhere (electronics).
PHOTON_SHARE = 0.75

# How much larger the picture was whose noise was shrunk with it.
SHRUNK_BY = 1.5

# Demosaicking by Malvar, He and Cutler 2004 (doi 10.1109/ICASSP.2004.1326587), figure 2, times 8:
# green at red or blue; a colour beside its own kind in the row (turned: in the column), and at the
# opposite colour.
_GREEN = np.array(
    [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
)
_IN_ROW = np.array(
    [
        [0, 0, 0.5, 0, 0],
        [0, -1, 0, -1, 0],
        [-1, 4, 5, 4, -1],
        [0, -1, 0, -1, 0],
        [0, 0, 0.5, 0, 0],
    ]
)
_OPPOSITE = np.array(
    [
        [0, 0, -1.5, 0, 0],
        [0, 2, 0, 2, 0],
        [-1.5, 0, 6, 0, -1.5],
        [0, 2, 0, 2, 0],
        [0, 0, -1.5, 0, 0],
    ]
)


@dataclass(frozen=True, slots=True)
class Spoil:
    """Noise, white or as a camera or a shrunk picture has it, then JPEG compression."""

    noise_std: float = 0.0  # levels of 255
    jpeg_quality: int | None = None
    subsampling: str = "4:2:0"  # of the chroma, Pillow's default
    camera_std: float = 0.0  # of a raw pixel at mid grey, levels of 255 of sRGB
    shrunk_std: float = 0.0  # before the picture was shrunk by SHRUNK_BY, levels of 255

    @classmethod
    def of(cls, options: argparse.Namespace) -> Self:
        """Return what the options of `add_spoil_options` name."""
        return cls(
            noise_std=options.noise,
            jpeg_quality=options.jpeg,
            subsampling=options.subsampling,
            camera_std=options.camera_noise,
            shrunk_std=options.shrunk_noise,
        )

    @property
    def label(self) -> str:
        """The suffix for the name of a set."""
        kinds = {"noise": self.noise_std, "camera": self.camera_std, "shrunk": self.shrunk_std}
        noise = "".join(f"-{kind}{std:g}" for kind, std in kinds.items() if std > 0)
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
        draw = np.random.default_rng(0)
        if self.noise_std > 0:
            pixels = _rounded(pixels + draw.normal(0, self.noise_std, pixels.shape))
        if self.camera_std > 0:
            pixels = _rounded(255 * _as_camera(pixels / 255, self.camera_std / 255, draw))
        if self.shrunk_std > 0:
            pixels = _rounded(pixels + _shrunk_noise(pixels.shape, self.shrunk_std, draw))
        return Image.fromarray(pixels)

    def _file(self, image: Image.Image) -> bytes:
        stream = io.BytesIO()
        image.convert("RGB").save(
            stream, "JPEG", quality=self.jpeg_quality, subsampling=self.subsampling
        )
        return stream.getvalue()


UNSPOILT = Spoil()


def add_spoil_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that spoil sources; noise is a standard deviation in levels of 255."""
    for name, noise in (
        ("--noise", "white noise put on the sources"),
        ("--camera-noise", "noise of a raw pixel at mid grey, which demosaicking spreads"),
        ("--shrunk-noise", "white noise of a picture that was shrunk since"),
    ):
        parser.add_argument(name, type=float, default=0.0, metavar="LEVEL", help=noise)
    parser.add_argument("--jpeg", type=int, help="quality to compress the sources at")
    parser.add_argument("--subsampling", choices=["4:4:4", "4:2:2", "4:2:0"], default="4:2:0")


def _rounded(pixels: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _as_camera(
    picture: NDArray[np.float64], std: float, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Return sRGB (H, W, 3) in [0, 1] with the noise of a camera, clipped.

    The variance is a + b × light for each raw pixel, a Bayer mosaic keeps one colour of each, and
    demosaicking spreads the noise. The picture itself is not mosaicked: what that does to detail
    is no noise. std: of a raw pixel at mid grey, in sRGB.
    """
    light = _linear(picture)
    grey = _linear(np.asarray(0.5))
    variance = (std * float(_linear(np.asarray(0.501)) - grey) / 0.001) ** 2
    share = PHOTON_SHARE * light / grey + (1 - PHOTON_SHARE)
    noise = draw.normal(0, 1, light.shape) * np.sqrt(variance * share)
    return _encoded(np.clip(light + _demosaicked(noise), 0, 1))


def _demosaicked(colours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (H, W, 3) after a mosaic RG/GB kept one colour of each pixel."""
    y, x = np.indices(colours.shape[:2]) % 2
    is_red, is_blue = (y == 0) & (x == 0), (y == 1) & (x == 1)
    is_green = ~is_red & ~is_blue
    raw = np.where(is_red, colours[..., 0], np.where(is_blue, colours[..., 2], colours[..., 1]))
    green, row, column, opposite = (
        ndimage.convolve(raw, weights / 8, mode="mirror")
        for weights in (_GREEN, _IN_ROW, _IN_ROW.T, _OPPOSITE)
    )
    return np.stack(
        [
            np.select([is_red, is_blue, y == 0], [raw, opposite, row], column),
            np.where(is_green, raw, green),
            np.select([is_blue, is_red, y == 1], [raw, opposite, row], column),
        ],
        axis=-1,
    )


def _shrunk_noise(
    shape: tuple[int, ...], std: float, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Return white noise of a larger picture after a bicubic shrinks it to (H, W, 3)."""
    height, width = shape[:2]
    large = draw.normal(0, std, (3, round(height * SHRUNK_BY), round(width * SHRUNK_BY)))
    planes = [
        Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        for plane in large
    ]
    return np.stack([np.asarray(plane, dtype=np.float64) for plane in planes], axis=-1)


def _linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return light of sRGB (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sRGB of light."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
