"""Honest files in the formats that only a confined child decodes."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pillow_jxl  # noqa: F401 (makes Pillow write JPEG XL)
from numpy.typing import NDArray
from PIL import Image


def saved(picture: Image.Image, format_name: str, **options: Any) -> bytes:
    """Return a file that Pillow writes."""
    buffer = io.BytesIO()
    picture.save(buffer, format_name, **options)
    return buffer.getvalue()


def heic(picture: Image.Image, *others: Image.Image, primary: int = 0, **metadata: bytes) -> bytes:
    """Return a HEIC without loss, of one picture or of several; `metadata` as in Pillow's info."""
    file: Any = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    for each in (picture, *others):
        file.add_from_pillow(each)
    for name, content in metadata.items():
        file[primary].info[name] = content
    return _written(file, primary_index=primary)


def with_thumbnail(picture: Image.Image, side: int) -> bytes:
    """Return a HEIC that holds a smaller copy too."""
    file: Any = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    file.add_from_pillow(picture)
    file[0].info["thumbnails"] = [side]
    return _written(file)


def deep_heic(levels: NDArray[Any], mode: str) -> bytes:
    """Return a HEIC of 10 bits from levels whose upper 10 bits count; `mode` is pillow-heif's."""
    height, width = levels.shape[:2]
    file = pillow_heif.from_bytes(mode=mode, size=(width, height), data=levels.tobytes())
    return _written(file)


def _written(file: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    file.save(buffer, quality=-1, chroma=444, matrix_coefficients=0, **options)
    return buffer.getvalue()


def pnm(header: str, levels: NDArray[Any]) -> bytes:
    """Return a binary PNM; levels of 16 bits are written high byte first."""
    return header.encode() + levels.astype(">u2" if levels.dtype == np.uint16 else "u1").tobytes()


def pam(levels: NDArray[Any], kind: str, top: int) -> bytes:
    """Return a PAM of (H, W, C) levels up to `top`."""
    height, width, bands = levels.shape
    fields = f"WIDTH {width}\nHEIGHT {height}\nDEPTH {bands}\nMAXVAL {top}\nTUPLTYPE {kind}"
    return pnm(f"P7\n# a comment\n{fields}\nENDHDR\n", levels)


#: Names → what returns a file of an RGB picture in that format.
WRITERS: dict[str, Callable[[Image.Image], bytes]] = {
    "heic": heic,
    "jxl": lambda picture: saved(picture, "JXL", quality=90),
    "jxl-lossless": lambda picture: saved(picture, "JXL", lossless=True),
    "jp2": lambda picture: saved(picture, "JPEG2000"),
    "j2k": lambda picture: saved(picture, "JPEG2000", no_jp2=True),
    "gif": lambda picture: saved(picture.convert("L"), "GIF"),
    "ppm": lambda picture: saved(picture, "PPM"),
    "tga": lambda picture: saved(picture, "TGA"),
    "tga-rle": lambda picture: saved(picture, "TGA", compression="tga_rle"),
}
