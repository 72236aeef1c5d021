"""Colour: profiles are kept or used, other colour spaces become sRGB, hidden colour is filled."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.parts.colour_profiles import CMYK, LAB, SRGB, adobe_rgb, lut_profile
from tests.parts.picture_files import decode_path, encode_path, levels, save_picture, smooth_picture


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "avif"])
def test_wide_gamut_profile_travels_with_untouched_pixels(tmp_path: Path, suffix: str) -> None:
    """No round trip through sRGB: the numbers and the profile that explains them are kept."""
    profile = adobe_rgb()
    options = {"lossless": True} if suffix == "webp" else {"quality": 100}
    path = save_picture(tmp_path / f"a.{suffix}", smooth_picture(), icc_profile=profile, **options)
    with Image.open(path) as source:
        expected = np.asarray(source)
    image = decode_path(path)
    np.testing.assert_array_equal(levels(image), expected)
    encode_path(tmp_path / "out.png", image, metadata=image.metadata.only_colour())
    with Image.open(tmp_path / "out.png") as written:
        assert written.info["icc_profile"] == profile


@pytest.mark.parametrize("profile", [b"rubbish", bytes(200), SRGB[:150], CMYK])
def test_unusable_profile_is_dropped_and_noted(tmp_path: Path, profile: bytes) -> None:
    """A profile that is broken, or speaks of other channels, says nothing about these pixels."""
    image = decode_path(save_picture(tmp_path / "a.png", smooth_picture(), icc_profile=profile))
    assert image.metadata.icc is None
    assert image.info.note is not None
    assert "profile" in image.info.note
    np.testing.assert_array_equal(levels(image), np.asarray(smooth_picture()))


def test_rgb_profile_on_grey_is_dropped(tmp_path: Path) -> None:
    """A profile of three channels would make a grey PNG invalid."""
    path = save_picture(tmp_path / "a.jpg", smooth_picture(mode="L"), icc_profile=SRGB)
    assert decode_path(path).metadata.icc is None


def test_grey_profile_is_kept(tmp_path: Path) -> None:
    """A grey profile belongs to grey pixels."""
    profile = lut_profile(b"GRAY", 1)
    path = save_picture(tmp_path / "a.png", smooth_picture(mode="L"), icc_profile=profile)
    assert decode_path(path).metadata.icc == profile


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
@pytest.mark.parametrize("cmyk", [(0, 0, 0, 0), (0, 0, 0, 255), (255, 0, 0, 0), (0, 255, 255, 0)])
def test_cmyk_without_profile(tmp_path: Path, suffix: str, cmyk: tuple[int, ...]) -> None:
    """Plain conversion, noted; Adobe's inverted JPEG and a straight TIFF give the same colour."""
    picture = Image.new("CMYK", (16, 16), cmyk)
    options = {"quality": 100} if suffix == "jpg" else {}
    image = decode_path(save_picture(tmp_path / f"a.{suffix}", picture, **options))
    ink = [255 * (1 - c / 255) * (1 - cmyk[3] / 255) for c in cmyk[:3]]
    assert levels(image)[8, 8].tolist() == pytest.approx(ink, abs=2)
    assert image.info.note == "CMYK without a profile: plain conversion"
    assert image.metadata.icc is not None
    assert image.metadata.icc[16:20] == b"RGB "


def test_adobe_jpeg_is_inverted_in_the_file(tmp_path: Path) -> None:
    """The file of the test above stores white paper as 255: it is the kind that is inverted."""
    buffer = io.BytesIO()
    Image.new("CMYK", (16, 16)).save(buffer, "JPEG")
    data = buffer.getvalue()
    assert b"Adobe\0" in data
    with Image.open(io.BytesIO(data)) as picture:
        picture.tile = [tile._replace(args=("CMYK", "")) for tile in picture.tile]
        assert picture.getpixel((8, 8)) == (255, 255, 255, 255)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_goes_through_its_profile(tmp_path: Path, suffix: str) -> None:
    """The embedded profile decides the colour, and the output is sRGB."""
    # To this profile magenta is no ink at all, while plain conversion would make it pink.
    picture = Image.new("CMYK", (16, 16), (0, 255, 0, 0))
    image = decode_path(
        save_picture(tmp_path / f"a.{suffix}", picture, icc_profile=CMYK, quality=100)
    )
    assert levels(image)[8, 8].tolist() == pytest.approx([255, 255, 255], abs=3)
    assert image.info.note is None
    assert image.metadata.icc is not None
    assert image.metadata.icc[16:20] == b"RGB "


def test_equal_inputs_give_equal_profiles(tmp_path: Path) -> None:
    """The sRGB profile we add bears no date."""
    image = decode_path(save_picture(tmp_path / "a.tif", Image.new("CMYK", (2, 2))))
    assert image.metadata.icc is not None
    assert image.metadata.icc[24:36] == bytes(12)
    ImageCms.getOpenProfile(io.BytesIO(image.metadata.icc))


@pytest.mark.parametrize("options", [{}, {"icc_profile": LAB}])
def test_lab_becomes_srgb(tmp_path: Path, options: dict[str, bytes]) -> None:
    """Mid grey in Lab is mid grey in sRGB, with a profile or without."""
    path = save_picture(tmp_path / "a.tif", Image.new("LAB", (4, 4), (128, 128, 128)), **options)
    image = decode_path(path)
    grey = levels(image)[0, 0].astype(int)
    assert np.ptp(grey) <= 2
    assert 110 < grey[0] < 130
