"""Vips: pictures of 16 bits a channel, read and written with every level."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from tests.parts.picture_files import (
    decode_path,
    deep_file,
    deep_levels,
    encode_path,
    page,
    png,
    png_chunk,
    save_picture,
)
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.output_format import PNG, TIFF, OutputFormat

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_big_endian_16_bit_tiff(tmp_path: Path) -> None:
    """The byte order of a TIFF does not change its levels."""
    pixels = np.array([[1, 256, 65535]], np.uint16)
    picture = Image.frombytes("I;16B", (3, 1), pixels.astype(">u2").tobytes())
    image = decode_path(save_picture(tmp_path / "a.tif", picture))
    np.testing.assert_array_equal(deep_levels(image)[..., 0], pixels)


DEEP_KINDS = [(bands, suffix) for bands in (1, 2, 3, 4) for suffix in ("png", "tif")]


@pytest.mark.parametrize(("bands", "suffix"), DEEP_KINDS)
@pytest.mark.parametrize("output", [PNG, TIFF])
def test_16_bits_go_in_and_out(
    tmp_path: Path, bands: int, suffix: str, output: OutputFormat
) -> None:
    """L, LA, RGB and RGBA of 16 bits keep every bit of every channel, with their profile."""
    profile = None if bands < 3 else SRGB
    pixels = np.random.default_rng(1).integers(0, 1 << 16, (9, 7, bands), dtype=np.uint16)
    pixels[..., -1] |= 1  # hidden colour is not kept
    image = decode_path(deep_file(tmp_path / f"a.{suffix}", pixels, icc=profile))
    assert (image.info.bit_depth, image.info.channels) == (16, 1 if bands < 3 else 3)
    assert image.info.has_alpha is (bands in {2, 4})
    assert image.metadata.icc == profile
    encode_path(tmp_path / "b", image, output=output)
    np.testing.assert_array_equal(deep_levels(decode_path(tmp_path / "b")), pixels)


@pytest.mark.parametrize("compression", ["none", "lzw", "deflate", "packbits"])
@pytest.mark.parametrize("is_tiled", [False, True])
@pytest.mark.parametrize("is_big", [False, True])
def test_layouts_of_deep_tiffs(
    tmp_path: Path, compression: str, is_tiled: bool, is_big: bool
) -> None:
    """Strips and tiles, packed or not, BigTIFF too: the same levels."""
    pixels = np.random.default_rng(1).integers(0, 1 << 16, (90, 70, 3), dtype=np.uint16)
    options: dict[str, Any] = {"compression": compression, "tile": is_tiled, "bigtiff": is_big}
    options |= {"tile_width": 16, "tile_height": 16} if is_tiled else {}
    image = decode_path(deep_file(tmp_path / "a.tif", pixels, **options))
    np.testing.assert_array_equal(deep_levels(image), pixels)


@pytest.mark.parametrize("is_interlaced", [False, True])
def test_interlaced_deep_png(tmp_path: Path, is_interlaced: bool) -> None:
    """Adam7 or not: the same levels."""
    pixels = np.random.default_rng(1).integers(0, 1 << 16, (9, 7, 3), dtype=np.uint16)
    image = decode_path(deep_file(tmp_path / "a.png", pixels, interlace=is_interlaced))
    np.testing.assert_array_equal(deep_levels(image), pixels)


def test_colour_key_of_16_bits_counts_all_of_them(tmp_path: Path) -> None:
    """The key is compared in the file's own depth: one level beside it is opaque."""
    row = struct.pack(">6H", 1, 2, 3, 1, 2, 4)
    key = png_chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))
    (tmp_path / "a.png").write_bytes(png((2, 1), 16, 2, b"\0" + row, key))
    image = decode_path(tmp_path / "a.png")
    assert deep_levels(image)[0, :, 3].tolist() == [0, 65535]
    (tmp_path / "b.png").write_bytes(
        png((2, 1), 16, 0, b"\0" + row[:4], png_chunk(b"tRNS", b"\0\1"))
    )
    assert deep_levels(decode_path(tmp_path / "b.png"))[0, :, 1].tolist() == [0, 65535]


def test_white_is_zero_of_16_bits_is_inverted(tmp_path: Path) -> None:
    """What is dark stays dark."""
    (tmp_path / "a.tif").write_bytes(page(0, (16,), struct.pack("<2H", 1, 65535)))
    assert deep_levels(decode_path(tmp_path / "a.tif")).ravel().tolist() == [65534, 0]


def test_premultiplied_alpha_of_16_bits_is_divided_out(tmp_path: Path) -> None:
    """Colour that was multiplied by its alpha comes back to what it was."""
    pixels = struct.pack("<8H", 10000, 20000, 0, 32768, 1, 2, 3, 65535)
    (tmp_path / "a.tif").write_bytes(page(2, (16,) * 4, pixels, extra=(1,)))
    back = deep_levels(decode_path(tmp_path / "a.tif"))[0].astype(int)
    assert np.abs(back - [[19999, 39998, 0, 32768], [1, 2, 3, 65535]]).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_metadata_of_deep_files(tmp_path: Path, suffix: str, bands: int) -> None:
    """Orientation, EXIF, resolution and XMP are read from deep files as from others."""
    pixels = np.full((4, 6, bands), 7, np.uint16)
    pixels[0, 0] = 65535
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Me"
    metadata = ImageMetadata(exif=exif.tobytes(), dpi=(300.0, 300.0), xmp="<x/>")
    image = decode_path(deep_file(tmp_path / "a", pixels))
    output = PNG if suffix == "png" else TIFF
    encode_path(tmp_path / "b", image, output=output, metadata=metadata)
    data = (tmp_path / "b").read_bytes()
    again = decode_path(tmp_path / "b")
    assert again.metadata.xmp == "<x/>"
    assert again.metadata.dpi == pytest.approx((300, 300), abs=0.1)
    assert again.metadata.exif is not None
    assert b"Me" in again.metadata.exif
    exif[ExifTags.Base.Orientation] = 6
    encode_path(tmp_path / "b", image, output=output, metadata=ImageMetadata())
    turned = tmp_path / "c"
    data = (tmp_path / "b").read_bytes()
    if suffix == "png":
        place = data.index(b"IDAT") - 4
        chunk = png_chunk(b"eXIf", exif.tobytes()[6:])
        turned.write_bytes(data[:place] + chunk + data[place:])
    else:
        with_tag = deep_file(turned, pixels, is_tiff=True).read_bytes()
        place = with_tag.index(struct.pack("<HHIH", 274, 3, 1, 1)) + 8
        turned.write_bytes(with_tag[:place] + b"\6" + with_tag[place + 1 :])
    upright = deep_levels(decode_path(turned))
    np.testing.assert_array_equal(upright, np.rot90(pixels, -1))


def test_deep_gradient_keeps_its_levels(tmp_path: Path) -> None:
    """A gradient of more than 256 levels a channel comes out with all of them."""
    ramp = np.arange(0, 65536, 64, dtype=np.uint16)
    pixels = np.stack([np.tile(ramp, (2, 1)), np.tile(ramp[::-1], (2, 1))] * 2, axis=2)[..., :3]
    image = decode_path(deep_file(tmp_path / "a.png", pixels))
    encode_path(tmp_path / "b.tif", image, output=TIFF)
    back = deep_levels(decode_path(tmp_path / "b.tif"))
    assert [len(np.unique(back[..., channel])) for channel in range(3)] == [1024] * 3
