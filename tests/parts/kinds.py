"""Kinds of image files that people have: what writes one of each, with metadata."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from tests.parts.colour_profiles import CMYK, adobe_rgb, gamma_profile
from tests.parts.confined_files import deep_heic, heic, pnm, saved
from tests.parts.picture_files import (
    decode_path,
    deep_file,
    encode_path,
    smooth_picture,
)
from zssr_daemon.imaging.output_format import PNG, TIFF

EXIF = Image.Exif()
EXIF[ExifTags.Base.Artist] = "An Author"


METADATA: dict[str, Any] = {"exif": EXIF, "dpi": (300, 300)}


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def pillow(mode: str, suffix: str, **options: Any) -> Callable[[Path], None]:
    """Return what writes a picture of a mode with Pillow, with metadata."""

    def write(path: Path) -> None:
        picture = smooth_picture(20, 15, "RGB").convert(mode)
        if mode in {"LA", "RGBA"}:
            picture.putalpha(Image.linear_gradient("L").resize((20, 15)))
        picture.save(path, {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), **options)

    return write


def deep(bands: int, suffix: str, icc: bytes | None = None) -> Callable[[Path], None]:
    """Return what writes 16-bit samples, with metadata."""

    def write(path: Path) -> None:
        pixels = np.random.default_rng(0).integers(1, 1 << 16, (15, 20, bands), dtype=np.uint16)
        image = decode_path(deep_file(path, pixels, icc=icc))
        metadata = replace(image.metadata, exif=EXIF.tobytes(), dpi=(300, 300), xmp=XMP.decode())
        encode_path(path, image, metadata=metadata, output=TIFF if suffix == "tif" else PNG)

    return write


def palette(path: Path) -> None:
    """Write a palette of which one entry, in use, lets all light through."""
    picture = smooth_picture(20, 15).quantize(16)
    picture.save(path, "PNG", transparency=picture.getpixel((3, 3)), **METADATA)


def mpo(path: Path) -> None:
    """Write a phone's photograph with a preview behind it."""
    smooth_picture(20, 15).save(
        path, "MPO", save_all=True, append_images=[smooth_picture(8, 6)], **METADATA
    )


def with_thumbnail_page(path: Path) -> None:
    """Write a picture and a page that calls itself a reduced copy."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    small: Any = smooth_picture(8, 6)
    small.encoderinfo = {"tiffinfo": tags}
    smooth_picture(20, 15).save(path, "TIFF", save_all=True, append_images=[small], **METADATA)


def content(data: bytes) -> Callable[[Path], None]:
    """Return what writes these bytes."""

    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


PICTURE = smooth_picture(20, 15)
SEEN_THROUGH = smooth_picture(20, 15, "RGBA")
SEEN_THROUGH.putalpha(Image.linear_gradient("L").resize((20, 15)))
TEN_BITS = np.random.default_rng(0).integers(1, 1024, (15, 20, 3), dtype=np.uint16) << 6
DEEP_GREY = Image.fromarray(np.ascontiguousarray(TEN_BITS[..., 0]))

WIDE = adobe_rgb()


GREY = gamma_profile()


#: Input → what writes it, in the order of the table of docs/images.md.
KINDS: dict[str, Callable[[Path], None]] = {
    "PNG, grey": pillow("L", "png", xmp=XMP, icc_profile=GREY, **METADATA),
    "PNG, grey with alpha": pillow("LA", "png", **METADATA),
    "PNG, RGB": pillow("RGB", "png", icc_profile=WIDE, **METADATA),
    "PNG, RGBA": pillow("RGBA", "png", icc_profile=WIDE, **METADATA),
    "PNG, palette": pillow("P", "png", **METADATA),
    "PNG, palette with transparency": palette,
    "PNG, bilevel": pillow("1", "png", **METADATA),
    "PNG, 16-bit grey": deep(1, "png"),
    "PNG, 16-bit grey with alpha": deep(2, "png"),
    "PNG, 16-bit RGB": deep(3, "png", WIDE),
    "PNG, 16-bit RGBA": deep(4, "png", WIDE),
    "JPEG, grey": pillow("L", "jpg", xmp=XMP, **METADATA),
    "JPEG, RGB": pillow("RGB", "jpg", xmp=XMP, icc_profile=WIDE, **METADATA),
    "JPEG, CMYK with profile": pillow("CMYK", "jpg", icc_profile=CMYK, **METADATA),
    "JPEG, CMYK without": pillow("CMYK", "jpg", **METADATA),
    "JPEG, phone with preview (MPO)": mpo,
    "TIFF, grey": pillow("L", "tif", icc_profile=GREY, **METADATA),
    "TIFF, grey with alpha": pillow("LA", "tif", **METADATA),
    "TIFF, RGB, LZW": pillow("RGB", "tif", compression="tiff_lzw", icc_profile=WIDE, **METADATA),
    "TIFF, RGBA, deflate": pillow("RGBA", "tif", compression="tiff_adobe_deflate", **METADATA),
    "TIFF, bilevel, fax group 4": pillow("1", "tif", compression="group4", **METADATA),
    "TIFF, CMYK with profile": pillow("CMYK", "tif", icc_profile=CMYK, **METADATA),
    "TIFF, 16-bit grey": deep(1, "tif"),
    "TIFF, 16-bit grey with alpha": deep(2, "tif"),
    "TIFF, 16-bit RGB": deep(3, "tif", WIDE),
    "TIFF, 16-bit RGBA": deep(4, "tif", WIDE),
    "WebP, RGB": pillow("RGB", "webp", xmp=XMP, icc_profile=WIDE, exif=EXIF),
    "WebP, RGBA": pillow("RGBA", "webp", exif=EXIF, lossless=True),
    "BMP, RGB": pillow("RGB", "bmp", dpi=(300, 300)),
    "AVIF, RGB": pillow("RGB", "avif", icc_profile=WIDE, exif=EXIF),
    "TIFF, RGB with a thumbnail page": with_thumbnail_page,
    "HEIC, RGB": content(heic(PICTURE, icc_profile=WIDE, exif=EXIF.tobytes(), xmp=XMP)),
    "HEIC, RGBA": content(heic(SEEN_THROUGH, exif=EXIF.tobytes())),
    "HEIC, 10 bits": content(deep_heic(TEN_BITS, "RGB;16")),
    "JPEG XL, RGB": content(saved(PICTURE, "JXL", exif=EXIF.tobytes(), xmp=XMP)),
    "JPEG XL, 16-bit grey": content(saved(DEEP_GREY, "JXL", lossless=True)),
    "JPEG 2000, RGB": content(saved(PICTURE, "JPEG2000")),
    "JPEG 2000, 16-bit grey": content(saved(DEEP_GREY, "JPEG2000")),
    "GIF, one frame": content(saved(PICTURE.quantize(16), "GIF")),
    "PNM, RGB": content(saved(PICTURE, "PPM")),
    "PNM, 16-bit RGB": content(pnm("P6 20 15 65535\n", TEN_BITS)),
    "PNM, bilevel": content(saved(PICTURE.convert("1"), "PPM")),
    "TGA, RGBA": content(saved(SEEN_THROUGH, "TGA")),
}
