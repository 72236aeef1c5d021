"""Reading images: modes, depths, orientation, frames and metadata."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from tests.parts.picture_files import (
    LIMITS,
    decode_path,
    deep_file,
    deep_levels,
    encode_path,
    grey_tiff,
    inspect_path,
    levels,
    page,
    png,
    png_chunk,
    samples,
    smooth_picture,
    tiff,
)
from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.metadata import ImageMetadata
from zssr_daemon.imaging.output_format import PNG, TIFF, OutputFormat

# Left, top, horizontal and vertical step of each pass.
_ADAM7 = [
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
]

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

LOSSLESS = ["png", "tif", "bmp", "webp"]


def save(path: Path, picture: Image.Image, **options: Any) -> Path:
    """Save without loss where the format has a choice."""
    if path.suffix == ".webp":
        options |= {"lossless": True, "exact": True}
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_rgb_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    """A lossless RGB file decodes to its own levels, float32, contiguous, in [0, 1]."""
    pixels = samples(13, 17, 3)
    image = decode_path(save(tmp_path / f"a.{suffix}", Image.fromarray(pixels)))
    assert (image.info.width, image.info.height, image.info.channels) == (17, 13, 3)
    assert (image.alpha, image.info.has_alpha, image.info.bit_depth) == (None, False, 8)
    assert image.pixels.dtype == np.float32
    assert image.pixels.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(levels(image), pixels)


@pytest.mark.parametrize("suffix", ["jpg", "avif"])
def test_lossy_formats_are_read(tmp_path: Path, suffix: str) -> None:
    """JPEG and AVIF decode to about the picture that was saved."""
    picture = smooth_picture()
    path = save(tmp_path / f"a.{suffix}", picture, quality=95)
    image = decode_path(path)
    assert image.info.format == {"jpg": "JPEG", "avif": "AVIF"}[suffix]
    assert np.abs(levels(image).astype(int) - np.asarray(picture)).mean() < 3


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_grey_stays_one_channel(tmp_path: Path, suffix: str) -> None:
    """L is one channel, and never becomes RGB."""
    pixels = samples(5, 7)
    image = decode_path(save(tmp_path / f"a.{suffix}", Image.fromarray(pixels)))
    assert image.info.channels == 1
    np.testing.assert_array_equal(levels(image)[:, :, 0], pixels)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_one_bit_becomes_grey(tmp_path: Path, suffix: str) -> None:
    """1-bit pixels become the levels 0 and 255 of one channel."""
    picture = Image.fromarray(samples(5, 7)).convert("1")
    image = decode_path(save(tmp_path / f"a.{suffix}", picture))
    np.testing.assert_array_equal(levels(image)[:, :, 0], np.asarray(picture.convert("L")))


@pytest.mark.parametrize(
    ("mode", "suffix"), [("LA", "png"), ("LA", "tif"), ("RGBA", "png"), ("RGBA", "webp")]
)
def test_alpha_is_a_channel_of_its_own(tmp_path: Path, mode: str, suffix: str) -> None:
    """Alpha is set apart; colour that is visible at all is exact."""
    pixels = samples(9, 8, len(mode))
    pixels[..., -1] |= 1
    image = decode_path(save(tmp_path / f"a.{suffix}", Image.fromarray(pixels, mode)))
    assert image.info.has_alpha
    assert image.pixels.shape == (9, 8, len(mode) - 1)
    np.testing.assert_array_equal(levels(image), pixels)


def test_opaque_alpha_stays(tmp_path: Path) -> None:
    """An all-opaque alpha is not dropped: it comes back as a constant."""
    image = decode_path(save(tmp_path / "a.png", Image.new("RGBA", (4, 4), (1, 2, 3, 255))))
    assert image.alpha is not None
    assert (image.alpha == 1).all()


def test_hidden_colour_comes_from_visible_neighbours(tmp_path: Path) -> None:
    """Colour under zero alpha is replaced, so that it cannot bleed into visible edges."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:] = (10, 200, 30, 255)
    pixels[:, :4] = (255, 0, 255, 0)
    image = decode_path(save(tmp_path / "a.png", Image.fromarray(pixels)))
    np.testing.assert_array_equal(levels(image)[..., :3], np.full((8, 8, 3), (10, 200, 30)))
    np.testing.assert_array_equal(levels(image)[..., 3], pixels[..., 3])


def test_opaque_palette_becomes_rgb(tmp_path: Path) -> None:
    """P without transparency is true colour without alpha."""
    picture = smooth_picture().quantize(16)
    image = decode_path(save(tmp_path / "a.png", picture))
    assert (image.info.channels, image.info.has_alpha) == (3, False)
    np.testing.assert_array_equal(levels(image), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("transparency", [0, b"\x80\xff\x00"])
def test_transparent_palette_becomes_rgba(tmp_path: Path, transparency: int | bytes) -> None:
    """P with tRNS, an index or a table, is true colour with alpha."""
    picture = Image.fromarray(samples(8, 8) % 3, "P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image = decode_path(save(tmp_path / "a.png", picture, transparency=transparency))
    table = np.array([0, 255, 255] if transparency == 0 else list(b"\x80\xff\x00"))
    assert image.info.has_alpha
    np.testing.assert_array_equal(levels(image)[..., 3], table[np.asarray(picture)])


def test_opaque_palette_table_is_not_transparency(tmp_path: Path) -> None:
    """A tRNS table that lets nothing through adds no alpha."""
    picture = Image.new("P", (4, 4))
    path = save(tmp_path / "a.png", picture, transparency=b"\xff")
    assert not inspect_path(path).has_alpha


def test_rgb_colour_key_becomes_alpha(tmp_path: Path) -> None:
    """The one colour an RGB file names as transparent is transparent, its neighbours are not."""
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = (1, 2, 3)
    pixels[0, 1] = (1, 2, 4)
    image = decode_path(save(tmp_path / "a.png", Image.fromarray(pixels), transparency=(1, 2, 3)))
    np.testing.assert_array_equal(levels(image)[..., 3], [[0, 255, 255], [255, 255, 255]])


@pytest.mark.parametrize(("bits", "key"), [(1, 1), (2, 2), (4, 9), (8, 77)])
def test_grey_colour_key_counts_in_the_files_own_bits(tmp_path: Path, bits: int, key: int) -> None:
    """A grey key is a level of the file's depth, while the pixels are scaled to 8 bits."""
    per_byte = 8 // bits
    row = sum(key << (8 - bits * (n + 1)) for n in range(0, per_byte, 2))  # every second pixel
    data = png(
        (max(per_byte, 1), 1), bits, 0, bytes([0, row]), png_chunk(b"tRNS", struct.pack(">H", key))
    )
    (tmp_path / "a.png").write_bytes(data)
    image = decode_path(tmp_path / "a.png")
    expected = [0 if n % 2 == 0 else 255 for n in range(per_byte)]
    np.testing.assert_array_equal(levels(image)[0, :, 1], expected)


def test_big_endian_16_bit_tiff(tmp_path: Path) -> None:
    """The byte order of a TIFF does not change its levels."""
    pixels = np.array([[1, 256, 65535]], np.uint16)
    picture = Image.frombytes("I;16B", (3, 1), pixels.astype(">u2").tobytes())
    image = decode_path(save(tmp_path / "a.tif", picture))
    np.testing.assert_array_equal(np.rint(image.pixels[..., 0] * 65535), pixels)


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


UNSUPPORTED = {
    "float.tif": grey_tiff((1, 1), 32, bytes(4), sample_format=3),
    "float16.tif": grey_tiff((1, 1), 16, bytes(2), sample_format=3),
    "signed8.tif": grey_tiff((1, 1), 8, bytes(1), sample_format=2),
    "signed16.tif": grey_tiff((1, 1), 16, bytes(2), sample_format=2),
    "int32.tif": grey_tiff((1, 1), 32, bytes(4)),
    "L12.tif": grey_tiff((2, 1), 12, bytes(3)),
    "CMYK16.tif": page(5, (16,) * 4, bytes(16)),
    "LAB16.tif": page(8, (16,) * 3, bytes(12)),
    "palette16.tif": page(3, (16,), bytes(4)),
    "mixed.tif": page(2, (16, 16, 8), bytes(10)),
    "unknown-extra.tif": page(2, (16,) * 4, bytes(16), extra=(0,)),
    "two-extra.tif": page(2, (16,) * 5, bytes(20), extra=(2, 0)),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_depth_that_would_be_cut_is_refused(tmp_path: Path, name: str) -> None:
    """What cannot be kept is refused with a reason, never cut to 8 bits."""
    (tmp_path / name).write_bytes(UNSUPPORTED[name])
    with pytest.raises(ImageError, match="not supported") as caught:
        inspect_path(tmp_path / name)
    assert caught.value.reason == "unsupported_depth"


def test_hand_made_tiff_is_a_good_one(tmp_path: Path) -> None:
    """The refusals above are about depth: the same file with 8 bits is read."""
    (tmp_path / "a.tif").write_bytes(grey_tiff((2, 1), 8, b"\x07\x09"))
    np.testing.assert_array_equal(levels(decode_path(tmp_path / "a.tif"))[0, :, 0], [7, 9])


def test_12_bit_jpeg_is_refused(tmp_path: Path) -> None:
    """The precision stands in the frame header."""
    buffer = io.BytesIO()
    smooth_picture().save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    data[data.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ImageError) as caught:
        inspect_path(tmp_path / "a.jpg")
    assert caught.value.reason == "unsupported_depth"


def test_10_bit_avif_is_refused(tmp_path: Path) -> None:
    """The depth stands in the codec's configuration record, where Pillow does not look."""
    smooth_picture().save(tmp_path / "a.avif")
    data = bytearray((tmp_path / "a.avif").read_bytes())
    data[data.index(b"av1C") + 6] |= 0x40
    (tmp_path / "a.avif").write_bytes(data)
    with pytest.raises(ImageError) as caught:
        inspect_path(tmp_path / "a.avif")
    assert caught.value.reason == "unsupported_depth"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg", "avif"])
def test_orientation_is_applied_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    """The pixels are turned as a viewer would, and the output says it is upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = smooth_picture(24, 16)
    path = save(tmp_path / f"a.{suffix}", stored, exif=exif, quality=100)
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
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'
    path = save(tmp_path / "a.jpg", smooth_picture(24, 16), xmp=xmp)
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
    path = save(tmp_path / "a.jpg", smooth_picture(24, 16), exif=exif)
    assert inspect_path(path).width == 24


def test_phone_picture_gives_its_photograph(tmp_path: Path) -> None:
    """Of an MPO the first frame is taken, and said so."""
    photograph, preview = smooth_picture(24, 16), smooth_picture(12, 8)
    photograph.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[preview])
    info = inspect_path(tmp_path / "a.jpg")
    assert (info.format, info.width, info.note) == ("MPO", 24, "frame 0 of 2 taken")


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "avif"])
def test_several_frames_are_refused(tmp_path: Path, suffix: str) -> None:
    """No frame is dropped unsaid: the message has their number."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="3 frames") as caught:
        inspect_path(tmp_path / f"a.{suffix}")
    assert caught.value.reason == "multi_frame"


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
    image = decode_path(save(tmp_path / f"a.{suffix}", smooth_picture(24, 16), **options))
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
    path = save(tmp_path / "a.jpg", smooth_picture(), exif=exif, dpi=(300, 300), xmp=b"<x/>")
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
    path = save(tmp_path / "a.jpg", smooth_picture(), exif=exif)
    image = decode_path(path)
    assert image.metadata.exif is not None
    assert b"Me." in image.metadata.exif
    assert b"THUMBNAIL" not in image.metadata.exif
    with Image.open(path) as source:
        assert source.getexif().get_ifd(ExifTags.IFD.IFD1)[0x0202] == 9


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
    image = decode_path(save(tmp_path / f"a.{suffix}", smooth_picture(), exif=exif))
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


def test_interlaced_png_is_read(tmp_path: Path) -> None:
    """The seven grids of Adam7 are counted as they are: a whole file is not taken for a cut one."""
    for width, height in [(1, 1), (2, 5), (9, 3), (17, 16)]:
        rows = b"".join(
            (b"\0" + bytes([0x42]) * len(range(left, width, step_x)))
            * len(range(top, height, step_y))
            for left, top, step_x, step_y in _ADAM7
            if left < width
        )
        data = bytearray(png((width, height), 8, 0, rows))
        data[28] = 1
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        (tmp_path / "a.png").write_bytes(data)
        assert (levels(decode_path(tmp_path / "a.png")) == 0x42).all()


def test_big_tiff_is_read(tmp_path: Path) -> None:
    """64-bit offsets are read as well."""
    path = save(tmp_path / "a.tif", smooth_picture(), big_tiff=True)
    np.testing.assert_array_equal(levels(decode_path(path)), np.asarray(smooth_picture()))


@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_metadata_of_the_output_is_as_small_as_the_source(tmp_path: Path, suffix: str) -> None:
    """Nothing is invented: a bare file gives a bare output."""
    image = decode_path(save(tmp_path / f"a.{suffix}", smooth_picture()))
    encode_path(tmp_path / "out.png", image)
    with Image.open(tmp_path / "out.png") as written:
        written.load()
        assert written.info == {"Software": "test"}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    mode=st.sampled_from(["L", "LA", "RGB", "RGBA"]),
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    seed=st.integers(0, 1 << 16),
)
def test_decode_and_encode_are_inverse(
    tmp_path: Path, mode: str, width: int, height: int, seed: int
) -> None:
    """Any 8-bit picture comes back equal wherever it can be seen."""
    channels = len(mode)
    shape = (height, width) if mode == "L" else (height, width, channels)
    pixels = samples(*shape, seed=seed)
    Image.fromarray(pixels, mode).save(tmp_path / "a.png")
    encode_path(tmp_path / "b.png", decode_path(tmp_path / "a.png", LIMITS))
    with Image.open(tmp_path / "b.png") as written:
        assert written.mode == mode
        back = np.asarray(written)
    if mode in {"LA", "RGBA"}:
        np.testing.assert_array_equal(back[..., -1], pixels[..., -1])
        seen = pixels[..., -1] > 0
        np.testing.assert_array_equal(back[seen], pixels[seen])
    else:
        np.testing.assert_array_equal(back, pixels)
