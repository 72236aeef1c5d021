"""Decoding: modes, palettes, transparency and frames of 8-bit pictures."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.parts.picture_files import (
    LIMITS,
    decode_path,
    encode_path,
    inspect_path,
    levels,
    png,
    png_chunk,
    samples,
    save_picture,
    smooth_picture,
)
from zssr_daemon.errors import ImageError

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


LOSSLESS = ["png", "tif", "bmp", "webp"]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_rgb_is_read_exactly(tmp_path: Path, suffix: str) -> None:
    """A lossless RGB file decodes to its own levels, float32, contiguous, in [0, 1]."""
    pixels = samples(13, 17, 3)
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", Image.fromarray(pixels)))
    assert (image.info.width, image.info.height, image.info.channels) == (17, 13, 3)
    assert (image.alpha, image.info.has_alpha, image.info.bit_depth) == (None, False, 8)
    assert image.pixels.dtype == np.float32
    assert image.pixels.flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(levels(image), pixels)


@pytest.mark.parametrize("suffix", ["jpg", "avif"])
def test_lossy_formats_are_read(tmp_path: Path, suffix: str) -> None:
    """JPEG and AVIF decode to about the picture that was saved."""
    picture = smooth_picture()
    path = save_picture(tmp_path / f"a.{suffix}", picture, quality=95)
    image = decode_path(path)
    assert image.info.format == {"jpg": "JPEG", "avif": "AVIF"}[suffix]
    assert np.abs(levels(image).astype(int) - np.asarray(picture)).mean() < 3


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_grey_stays_one_channel(tmp_path: Path, suffix: str) -> None:
    """L is one channel, and never becomes RGB."""
    pixels = samples(5, 7)
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", Image.fromarray(pixels)))
    assert image.info.channels == 1
    np.testing.assert_array_equal(levels(image)[:, :, 0], pixels)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
def test_one_bit_becomes_grey(tmp_path: Path, suffix: str) -> None:
    """1-bit pixels become the levels 0 and 255 of one channel."""
    picture = Image.fromarray(samples(5, 7)).convert("1")
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", picture))
    np.testing.assert_array_equal(levels(image)[:, :, 0], np.asarray(picture.convert("L")))


@pytest.mark.parametrize(
    ("mode", "suffix"), [("LA", "png"), ("LA", "tif"), ("RGBA", "png"), ("RGBA", "webp")]
)
def test_alpha_is_a_channel_of_its_own(tmp_path: Path, mode: str, suffix: str) -> None:
    """Alpha is set apart; colour that is visible at all is exact."""
    pixels = samples(9, 8, len(mode))
    pixels[..., -1] |= 1
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", Image.fromarray(pixels, mode)))
    assert image.info.has_alpha
    assert image.pixels.shape == (9, 8, len(mode) - 1)
    np.testing.assert_array_equal(levels(image), pixels)


def test_opaque_alpha_stays(tmp_path: Path) -> None:
    """An all-opaque alpha is not dropped: it comes back as a constant."""
    image = decode_path(save_picture(tmp_path / "a.png", Image.new("RGBA", (4, 4), (1, 2, 3, 255))))
    assert image.alpha is not None
    assert (image.alpha == 1).all()


def test_hidden_colour_comes_from_visible_neighbours(tmp_path: Path) -> None:
    """Colour under zero alpha is replaced, so that it cannot bleed into visible edges."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, 4:] = (10, 200, 30, 255)
    pixels[:, :4] = (255, 0, 255, 0)
    image = decode_path(save_picture(tmp_path / "a.png", Image.fromarray(pixels)))
    np.testing.assert_array_equal(levels(image)[..., :3], np.full((8, 8, 3), (10, 200, 30)))
    np.testing.assert_array_equal(levels(image)[..., 3], pixels[..., 3])


def test_opaque_palette_becomes_rgb(tmp_path: Path) -> None:
    """P without transparency is true colour without alpha."""
    picture = smooth_picture().quantize(16)
    image = decode_path(save_picture(tmp_path / "a.png", picture))
    assert (image.info.channels, image.info.has_alpha) == (3, False)
    np.testing.assert_array_equal(levels(image), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("transparency", [0, b"\x80\xff\x00"])
def test_transparent_palette_becomes_rgba(tmp_path: Path, transparency: int | bytes) -> None:
    """P with tRNS, an index or a table, is true colour with alpha."""
    picture = Image.fromarray(samples(8, 8) % 3, "P")
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image = decode_path(save_picture(tmp_path / "a.png", picture, transparency=transparency))
    table = np.array([0, 255, 255] if transparency == 0 else list(b"\x80\xff\x00"))
    assert image.info.has_alpha
    np.testing.assert_array_equal(levels(image)[..., 3], table[np.asarray(picture)])


def test_opaque_palette_table_is_not_transparency(tmp_path: Path) -> None:
    """A tRNS table that lets nothing through adds no alpha."""
    picture = Image.new("P", (4, 4))
    path = save_picture(tmp_path / "a.png", picture, transparency=b"\xff")
    assert not inspect_path(path).has_alpha


def test_rgb_colour_key_becomes_alpha(tmp_path: Path) -> None:
    """The one colour an RGB file names as transparent is transparent, its neighbours are not."""
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = (1, 2, 3)
    pixels[0, 1] = (1, 2, 4)
    image = decode_path(
        save_picture(tmp_path / "a.png", Image.fromarray(pixels), transparency=(1, 2, 3))
    )
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
    path = save_picture(tmp_path / "a.tif", smooth_picture(), big_tiff=True)
    np.testing.assert_array_equal(levels(decode_path(path)), np.asarray(smooth_picture()))


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
