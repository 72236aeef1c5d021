"""ImageMetadata: kept, corrected or dropped, and never the fault of an image."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, TiffImagePlugin

from tests.parts.metadata_files import tiff_bytes
from tests.parts.picture_files import (
    decode_path,
    encode_path,
    inspect_path,
    levels,
    png,
    png_chunk,
    save_picture,
    smooth_picture,
    tiff,
)
from zssr_daemon.imaging.metadata.file_text import FileText
from zssr_daemon.imaging.output_format import JPEG, PNG, TIFF, WEBP, OutputFormat


@pytest.mark.parametrize("output", [PNG, TIFF, JPEG, WEBP])
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_texts_of_any_alphabet_keep_their_bytes(
    tmp_path: Path, suffix: str, output: OutputFormat
) -> None:
    """Names and signs of copyright are no question marks."""
    author, lens = "Jérôme ©".encode(), "Объектив".encode()
    exif = Image.Exif()
    exif[0x013B] = FileText(author.decode("latin-1"))
    exif[0x8769] = {0xA434: FileText(lens.decode("latin-1"))}
    path = tmp_path / f"a.{suffix}"
    if suffix == "jpg":
        save_picture(path, smooth_picture(), exif=exif)
    else:
        path.write_bytes(tiff_bytes({0x013B: exif[0x013B]}))
    assert author in path.read_bytes()
    assert encode_path(tmp_path / "out", decode_path(path), output=output) == []
    written = (tmp_path / "out").read_bytes()
    assert author in written
    assert (lens in written) is (lens in path.read_bytes())


@pytest.mark.parametrize("orientation", [1, 6])
def test_shape_of_pixels_is_kept(tmp_path: Path, orientation: int) -> None:
    """Pixels that are no squares stay so, and turn with the picture."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save_picture(tmp_path / "a.png", smooth_picture(24, 16), exif=exif)
    data = path.read_bytes()
    chunk = png_chunk(b"pHYs", struct.pack(">IIB", 4, 3, 0))
    path.write_bytes(data[:33] + chunk + data[33:])
    encode_path(tmp_path / "out.png", decode_path(path))
    with Image.open(tmp_path / "out.png") as written:
        assert written.info["aspect"] == ((4, 3) if orientation == 1 else (3, 4))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg", "avif"])
def test_orientation_is_applied_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    """The pixels are turned as a viewer would, and the output says it is upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = smooth_picture(24, 16)
    path = save_picture(tmp_path / f"a.{suffix}", stored, exif=exif, quality=100)
    with Image.open(path) as source:
        expected = np.asarray(ImageOps.exif_transpose(source).convert("RGB"))
    image = decode_path(path)
    assert (image.info.height, image.info.width) == expected.shape[:2]
    assert (expected.shape[0] == 24) == (orientation >= 5)
    np.testing.assert_array_equal(levels(image), expected)
    encode_path(tmp_path / "out.png", image)
    with Image.open(tmp_path / "out.png") as written:
        assert written.getexif().get(0x0112, 1) == 1
    np.testing.assert_array_equal(levels(decode_path(tmp_path / "out.png")), expected)


def test_orientation_from_xmp_is_applied_once(tmp_path: Path) -> None:
    """A picture whose orientation stands only in its XMP is turned, and the packet corrected."""
    names = b'xmlns:x="adobe:ns:meta/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
    xmp = b"<x:xmpmeta " + names + b'><a tiff:Orientation="6"/></x:xmpmeta>'
    path = save_picture(tmp_path / "a.jpg", smooth_picture(24, 16), xmp=xmp)
    image = decode_path(path)
    assert (image.info.width, image.info.height) == (16, 24)
    encode_path(tmp_path / "out.png", image)
    again = decode_path(tmp_path / "out.png")
    assert (again.info.width, again.info.height) == (16, 24)
    assert again.metadata.xmp is not None
    assert 'tiff:Orientation="1"' in again.metadata.xmp


def test_nonsense_orientation_is_upright(tmp_path: Path) -> None:
    """Only 1 to 8 mean anything."""
    exif = Image.Exif()
    exif[0x0112] = 77
    path = save_picture(tmp_path / "a.jpg", smooth_picture(24, 16), exif=exif)
    assert inspect_path(path).width == 24


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif"])
def test_metadata_is_kept(tmp_path: Path, suffix: str) -> None:
    """Author, camera details, position, resolution and XMP reach the output; sizes are new."""
    exif = Image.Exif()
    exif[0x013B] = "An Author"
    exif[0x8769] = {0x829A: TiffImagePlugin.IFDRational(1, 60), 0xA002: 999, 0xA003: 999}
    exif[0x8825] = {1: "N"}
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    options: dict[str, Any] = {"exif": exif, "dpi": (300, 300), "xmp": xmp}
    if suffix == "png":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options |= {"pnginfo": text}
    if suffix == "tif":
        exif[700] = xmp
        options |= {"exif": exif.tobytes()}
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", smooth_picture(24, 16), **options))
    encode_path(tmp_path / "out.png", image)
    with Image.open(tmp_path / "out.png") as written:
        written.load()
        found = written.getexif()
        assert found[0x013B] == "An Author"
        assert found[0x0112] == 1
        assert found.get_ifd(0x8769)[0x829A] == TiffImagePlugin.IFDRational(1, 60)
        assert (found.get_ifd(0x8769)[0xA002], found.get_ifd(0x8769)[0xA003]) == (24, 16)
        assert found.get_ifd(0x8825)[1] == "N"
        assert not {0x0111, 0x0102, 0x0103} & set(found)  # the layout of a TIFF
        assert written.info["xmp"] == xmp
        if suffix not in {"webp", "avif"}:  # these have no field for it
            assert written.info["dpi"] == pytest.approx((300, 300), rel=1e-3)


def test_strip_removes_all_but_colour(tmp_path: Path) -> None:
    """`strip` leaves no EXIF, resolution or XMP, and keeps the processing parameters."""
    exif = Image.Exif()
    exif[0x013B] = "An Author"
    path = save_picture(
        tmp_path / "a.jpg", smooth_picture(), exif=exif, dpi=(300, 300), xmp=b"<x/>"
    )
    image = decode_path(path)
    encode_path(tmp_path / "out.png", image, metadata=image.metadata.only_colour())
    with Image.open(tmp_path / "out.png") as written:
        written.load()
        assert written.info == {"Software": "test"}


def test_thumbnail_is_removed(tmp_path: Path) -> None:
    """The preview inside the EXIF shows the old picture; it does not reach the output."""
    main = struct.pack("<HHHI4s", 1, 0x013B, 2, 4, b"Me.\0")
    preview = struct.pack("<HHHII", 2, 0x0201, 4, 1, 56) + struct.pack("<HHII", 0x0202, 4, 1, 9)
    directory = b"II*\0\x08\0\0\0" + main + struct.pack("<I", 26) + preview + bytes(4)
    exif = b"Exif\0\0" + directory + b"THUMBNAIL"
    path = save_picture(tmp_path / "a.jpg", smooth_picture(), exif=exif)
    image = decode_path(path)
    assert image.metadata.exif is not None
    assert b"Me." in image.metadata.exif
    assert b"THUMBNAIL" not in image.metadata.exif
    with Image.open(path) as source:
        assert source.getexif().get_ifd(ExifTags.IFD.IFD1)[0x0202] == 9


@pytest.mark.parametrize(
    "details",
    [
        {0xA20E: "wide", 0xA20F: (1, 2)},
        {0x9214: "here", 0xA214: (1.5, 2.5, 3.5)},
        {0x9214: (1,), 0xA002: "wide", 0xA003: b"high"},
    ],
)
@pytest.mark.parametrize("output", [PNG, TIFF, JPEG, WEBP])
def test_odd_values_in_exif_never_fail_an_image(
    tmp_path: Path, output: OutputFormat, details: dict[int, Any]
) -> None:
    """Words where numbers belong cost themselves, and are named."""
    exif = Image.Exif()
    exif[0x8769] = details
    image = decode_path(save_picture(tmp_path / "a.jpg", smooth_picture(), exif=exif))
    assert "damaged" in "".join(encode_path(tmp_path / "out", image, output=output))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0rubbish",
        b"Exif\0\0II*\0\xff\xff\xff\x7f",
        b"II*\0\x08\0\0\0\xff\xff\0",
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_damaged_exif_never_fails_an_image(tmp_path: Path, suffix: str, exif: bytes) -> None:
    """Metadata that cannot be read is dropped; the pixels count."""
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", smooth_picture(), exif=exif))
    encode_path(tmp_path / "out.png", image)
    assert decode_path(tmp_path / "out.png").info.width == 64


@pytest.mark.parametrize(
    "chunk",
    [
        b"\0\0\0\x03tEXta\0b\0\0\0\0",  # wrong checksum
        png_chunk(b"zTXt", b"a\0\0rubbish"),
        png_chunk(b"iTXt", b"a\0\x01\0\0\0rubbish"),
        png_chunk(b"iCCP", b"a\0\0rubbish"),
        png_chunk(b"iCCP", b""),
        png_chunk(b"pHYs", b"\0"),
        png_chunk(b"pHYs", bytes(9)),
        png_chunk(b"eXIf", b"rubbish"),
        png_chunk(b"gAMA", b""),
        png_chunk(b"cHRM", b"\0"),
        png_chunk(b"sRGB", b""),
        png_chunk(b"tIME", b"\0"),
    ],
)
def test_damaged_png_extras_never_fail_an_image(tmp_path: Path, chunk: bytes) -> None:
    """A chunk that carries no pixels cannot cost the picture."""
    (tmp_path / "a.png").write_bytes(png((1, 1), 8, 0, b"\0\x42", chunk))
    assert levels(decode_path(tmp_path / "a.png")).tolist() == [[[0x42]]]


@pytest.mark.parametrize(
    "extra",
    [
        {0x8769: (4, (0x7FFFFFFF,))},
        {0x8769: (4, (9,)), 0x8825: (4, (4,))},
        {0x8769: (3, (1, 2, 3, 4, 5))},
        {282: (4, (0,)), 283: (3, (0,)), 296: (3, (77,))},
        {34675: (4, (1, 2, 3)), 700: (4, (7, 8, 9))},
        {274: (3, (77,))},
    ],
)
def test_damaged_tiff_extras_never_fail_an_image(
    tmp_path: Path, extra: dict[int, tuple[int, tuple[int, ...]]]
) -> None:
    """Pointers into nowhere and values of the wrong type cost themselves, not the picture."""
    entries = {256: (3, (2,)), 257: (3, (1,)), 258: (3, (8,)), 259: (3, (1,))}
    entries |= {262: (3, (1,)), 277: (3, (1,)), 278: (3, (1,))}
    (tmp_path / "a.tif").write_bytes(tiff({**entries, **extra}, b"\x07\x09"))
    image = decode_path(tmp_path / "a.tif")
    assert levels(image).tolist() == [[[7], [9]]]
    encode_path(tmp_path / "out.png", image)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_metadata_of_the_output_is_as_small_as_the_source(tmp_path: Path, suffix: str) -> None:
    """Nothing is invented: a bare file gives a bare output."""
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", smooth_picture()))
    encode_path(tmp_path / "out.png", image)
    with Image.open(tmp_path / "out.png") as written:
        written.load()
        assert written.info == {"Software": "test"}
