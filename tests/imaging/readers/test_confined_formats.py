"""HEIC, JPEG XL, JPEG 2000, GIF, PNM and TGA: read exactly, or refused with a reason."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.parts.colour_profiles import adobe_rgb
from tests.parts.confined_files import WRITERS, deep_heic, heic, pam, pnm, saved, with_thumbnail
from tests.parts.picture_files import LIMITS, deep_levels, levels, samples, smooth_picture
from zssr_daemon.errors import UNFINISHED_REASONS, ImageError
from zssr_daemon.imaging.decode import count_frames, decode, inspect
from zssr_daemon.imaging.formats import ImageLimits, sniff_format
from zssr_daemon.imaging.readers.confined import read_header

NOISE = samples(40, 50, 3)
FILES = {name: write(Image.fromarray(NOISE)) for name, write in WRITERS.items()}
LOSSY = {"jxl", "gif"}

EXIF = Image.Exif()
EXIF[0x13B] = "An Author"
EXIF[0x112] = 6  # to be turned by 90 degrees
XMP = b"<x:xmpmeta/>"


def named(ending: str = "") -> ImageLimits:
    """Return limits for a file whose name has this ending."""
    return replace(LIMITS, ending=ending)


def reason(data: bytes, limits: ImageLimits = LIMITS) -> str:
    """Return the reason for which a file is refused."""
    with pytest.raises(ImageError) as caught:
        decode(data, limits)
    return caught.value.reason


def grey16(seed: int = 0) -> NDArray[np.uint16]:
    """Return random levels of 16 bits, (40, 50)."""
    return np.random.default_rng(seed).integers(0, 1 << 16, (40, 50), dtype=np.uint16)


@pytest.mark.parametrize("name", FILES)
def test_every_format_is_read(name: str) -> None:
    """The picture comes out with its own levels, wherever the format keeps them."""
    image = decode(FILES[name], LIMITS)
    assert (image.info.width, image.info.height, image.info.note) == (50, 40, None)
    if name not in LOSSY:
        np.testing.assert_array_equal(levels(image), NOISE)


@pytest.mark.parametrize("part", [0.02, 0.3, 0.8, 0.99])
@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_may_still_be_written(name: str, part: float) -> None:
    """Wherever it is cut, it is refused for a reason that an unfinished copy has too."""
    data = FILES[name][: max(16, int(len(FILES[name]) * part))]
    found = reason(data, named(f".{name.split('-', maxsplit=1)[0]}"))
    # A JPEG XL without boxes has no structure to tell by, and a TGA none that holds its header.
    expected = {"corrupt"} if name.startswith("jxl") else {"truncated"}
    assert found in (expected | {"unsupported_format"} if len(data) < 18 else expected)
    assert found in UNFINISHED_REASONS


@pytest.mark.parametrize("name", FILES)
def test_rubbish_inside_never_escapes_as_another_error(name: str) -> None:
    """Whatever bytes a decoder meets, it ends in pixels or in an ImageError."""
    rng = np.random.default_rng(7)
    for _ in range(25):
        data = bytearray(FILES[name])
        for place in rng.integers(0, len(data), 6):
            data[place] = rng.integers(0, 256)
        try:
            image = decode(bytes(data), LIMITS)
        except ImageError as error:
            assert error.reason
        else:
            assert np.isfinite(image.pixels).all()


@pytest.mark.parametrize("name", FILES)
def test_the_limit_of_pixels_holds(name: str) -> None:
    """One pixel more than allowed is too many; as many as allowed are not."""
    assert decode(FILES[name], replace(LIMITS, max_input_pixels=2000)).info.width == 50
    assert reason(FILES[name], replace(LIMITS, max_input_pixels=1999)) == "too_many_pixels"


class TestHeic:
    """Photographs of phones."""

    def test_orientation_is_applied_once(self) -> None:
        """The library turns the picture; what the EXIF says of it is then no longer true."""
        image = decode(heic(Image.fromarray(NOISE), exif=EXIF.tobytes()), LIMITS)
        assert b"irot" in heic(Image.fromarray(NOISE), exif=EXIF.tobytes())
        np.testing.assert_array_equal(levels(image), np.rot90(NOISE, -1))
        assert (image.info.width, image.info.height) == (40, 50)
        kept = Image.Exif()
        kept.load(image.metadata.exif or b"")
        assert (kept[0x112], kept[0x13B]) == (1, "An Author")

    def test_profile_and_xmp_are_kept(self) -> None:
        """As in any other format."""
        data = heic(smooth_picture(), icc_profile=adobe_rgb(), xmp=XMP)
        metadata = decode(data, LIMITS).metadata
        assert (metadata.icc, metadata.xmp) == (adobe_rgb(), XMP.decode())

    @pytest.mark.parametrize(("mode", "bands"), [("L;16", 1), ("RGB;16", 3), ("RGBA;16", 4)])
    def test_ten_bits_are_kept(self, mode: str, bands: int) -> None:
        """Each of 1024 levels is found again in 16 bits, and white is white."""
        ten = np.random.default_rng(0).integers(0, 1024, (40, 50, bands), dtype=np.uint16)
        ten[0, 0], ten[0, 1] = 0, 1023
        if bands == 4:
            ten[..., 3] |= 1  # colour that is not seen may change
        data = deep_heic(np.squeeze(ten << 6), mode)
        image = decode(data, LIMITS)
        assert image.info.bit_depth == 16
        deep = deep_levels(image)
        if bands == 1:  # colours go through another coding
            np.testing.assert_array_equal(deep, (ten.astype(np.uint32) * 65535 + 511) // 1023)
        assert deep.max() == 65535
        assert np.abs(np.rint(deep / 65535 * 1023) - ten).max() <= 1

    def test_the_primary_picture_is_taken(self) -> None:
        """A burst is one photograph, with a note about the others."""
        data = heic(smooth_picture(), Image.fromarray(NOISE), smooth_picture(), primary=1)
        image = decode(data, LIMITS)
        np.testing.assert_array_equal(levels(image), NOISE)
        assert image.info.note == "picture 1 of 3 taken"
        assert count_frames(data, replace(LIMITS, each_frame=True)) == 1

    def test_thumbnails_are_named(self) -> None:
        """What comes with the picture and is left out stands in the note."""
        data = with_thumbnail(smooth_picture(640, 480), 128)
        roomy = replace(LIMITS, max_input_pixels=10**6)
        assert decode(data, roomy).info.note == "left out: 1 × thumbnail"

    @pytest.mark.parametrize(
        ("brands", "name"),
        [
            (b"heic\0\0\0\0mif1heic", "HEIF"),
            (b"mif1\0\0\0\0mif1heic", "HEIF"),
            (b"mif1\0\0\0\0avifmif1", "AVIF"),
            (b"avif\0\0\0\0mif1avif", "AVIF"),
            (b"mif1\0\0\0\0mif1miaf", "HEIF"),
            (b"mp42\0\0\0\0mp42isom", None),
        ],
    )
    def test_brands_tell_it_from_avif(self, brands: bytes, name: str | None) -> None:
        """All brands count, not the first alone."""
        head = struct.pack(">I4s", 8 + len(brands), b"ftyp") + brands
        assert sniff_format(head + bytes(100)) == name


class TestJpeg2000:
    """Archives and satellites."""

    def test_grey_of_16_bits_is_exact(self) -> None:
        """Each level comes out."""
        pixels = grey16()
        image = decode(saved(Image.fromarray(pixels), "JPEG2000"), LIMITS)
        np.testing.assert_array_equal(deep_levels(image)[..., 0], pixels)

    def test_a_channel_that_is_no_alpha_is_refused(self) -> None:
        """Four channels are RGB and alpha only where the file says so."""
        data = saved(Image.fromarray(samples(40, 50, 4)), "JPEG2000")
        assert decode(data, LIMITS).info.has_alpha
        place = data.index(b"cdef") + 4 + 2 + 3 * 6 + 2
        assert data[place : place + 2] == b"\0\1"
        infrared = data[:place] + b"\xff\xff" + data[place + 2 :]
        assert reason(infrared) == "unsupported_format"

    @pytest.mark.parametrize(("place", "value"), [(0, 0x87), (0, 11), (3, 11)])
    def test_signed_and_mixed_samples_are_refused(self, place: int, value: int) -> None:
        """Pillow would cut them without a word."""
        data = bytearray(FILES["j2k"])
        data[42 + place] = value  # signed or 12 bits
        assert reason(bytes(data)) == "unsupported_depth"

    def test_a_foreign_colour_space_is_refused(self) -> None:
        """Pillow takes CIELab for RGB."""
        data = FILES["jp2"]
        place = data.index(b"colr") + 7
        assert data[place : place + 4] == b"\0\0\0\x10"
        assert reason(data[:place] + b"\0\0\0\x0e" + data[place + 4 :]) == "unsupported_format"

    def test_a_large_one_is_described_by_its_header(self, tmp_path: Path) -> None:
        """The gate does not decode it; what is missing at its end is noticed all the same."""
        data = saved(Image.new("RGB", (2100, 2000)), "JPEG2000")
        limits = replace(LIMITS, max_input_pixels=10**7)
        # Damage that only decoding finds.
        start = data.index(b"\xff\x93") + 2
        (tmp_path / "damaged").write_bytes(data[:start] + bytes(40) + data[start + 40 :])
        (tmp_path / "cut").write_bytes(data[:-3])
        with (tmp_path / "damaged").open("rb") as file:
            info = inspect(file.fileno(), limits)
        assert (info.width, info.height, info.channels) == (2100, 2000, 3)
        with (tmp_path / "cut").open("rb") as file, pytest.raises(ImageError) as caught:
            inspect(file.fileno(), limits)
        assert caught.value.reason == "truncated"


class TestJpegXl:
    """Archives, and files made from JPEGs."""

    @pytest.mark.parametrize("use_container", [True, False])
    def test_a_large_one_is_described_by_its_header_if_its_boxes_tell_the_end(
        self, use_container: bool
    ) -> None:
        """Without boxes only decoding tells whether the file is whole, so it is decoded."""
        options = {"use_container": use_container, "effort": 1}
        data = saved(Image.new("L", (4100, 4100)), "JXL", **options)
        header = read_header(data, "JXL", replace(LIMITS, max_input_pixels=10**8), [])
        assert header.is_slow == use_container

    def test_grey_of_16_bits_is_exact(self) -> None:
        """Each level comes out."""
        pixels = grey16()
        data = saved(Image.fromarray(pixels), "JXL", lossless=True)
        np.testing.assert_array_equal(deep_levels(decode(data, LIMITS))[..., 0], pixels)

    def test_metadata_in_boxes_is_kept(self) -> None:
        """EXIF and XMP; the orientation of the EXIF does not count."""
        data = saved(Image.fromarray(NOISE), "JXL", lossless=True, exif=EXIF.tobytes(), xmp=XMP)
        image = decode(data, LIMITS)
        np.testing.assert_array_equal(levels(image), NOISE)
        assert b"An Author" in (image.metadata.exif or b"")
        assert image.metadata.xmp == XMP.decode()

    def test_a_jpeg_inside_is_turned_as_the_jpeg_says(self, tmp_path: Path) -> None:
        """Such a file is the JPEG again, byte by byte, and that one is not yet upright."""
        smooth_picture(48, 32).save(tmp_path / "a.jpg", quality=90, exif=EXIF)
        with Image.open(tmp_path / "a.jpg") as picture, pytest.warns(UserWarning, match="lossless"):
            picture.save(tmp_path / "a.jxl")
        image = decode((tmp_path / "a.jxl").read_bytes(), LIMITS)
        np.testing.assert_array_equal(
            levels(image), levels(decode((tmp_path / "a.jpg").read_bytes(), LIMITS))
        )
        assert (image.info.width, image.info.height) == (32, 48)

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            # all_default 0, extra_fields 0, float 0, bits: 10
            ([(0, 1), (0, 1), (0, 1), (1, 2)], "unsupported_depth"),
            # float 1, 32 bits, 8 bits of exponent
            ([(0, 1), (0, 1), (1, 1), (0, 2), (7, 4)], "unsupported_depth"),
            # extra fields: upright, no shown size, no preview, an animation
            ([(0, 1), (1, 1), (0, 3), (0, 1), (0, 1), (1, 1), *[(0, 2)] * 3], "multi_frame"),
            # 8 bits, one further channel: black
            (
                [(0, 1), (0, 1), (0, 1), (0, 2), (1, 1), (1, 2), (0, 1), (2, 2), (2, 4)],
                "unsupported_format",
            ),
        ],
    )
    def test_what_the_decoder_would_cut_is_refused(
        self, fields: list[tuple[int, int]], expected: str
    ) -> None:
        """By the header: the decoder itself cuts to 8 bits, and takes the first frame."""
        # A picture of 8 × 8 (small, height and width from the ratio 1), then the fields.
        value = place = 0
        for number, bits in [(1, 1), (0, 5), (1, 3), *fields, (0, 64), (0, 64)]:
            value |= number << place
            place += bits
        assert reason(b"\xff\x0a" + value.to_bytes(place // 8 + 1, "little")) == expected


class TestGif:
    """Drawings of 256 colours."""

    def test_transparency_is_alpha(self) -> None:
        """The colour that is named as transparent is not seen."""
        picture = Image.fromarray(samples(40, 50) % 3, "P")
        picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
        image = decode(saved(picture, "GIF", transparency=0), LIMITS)
        assert image.alpha is not None
        np.testing.assert_array_equal(image.alpha > 0, np.asarray(picture) > 0)

    def test_an_animation_is_several_frames(self) -> None:
        """Refused, or each frame as it is shown."""
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
        data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
        assert reason(data) == "multi_frame"
        each = replace(LIMITS, each_frame=True)
        assert count_frames(data, each) == 3
        colours = [levels(decode(data, each, frame=frame))[0, 0].tolist() for frame in range(3)]
        assert colours == [[255, 0, 0], [0, 128, 0], [0, 0, 255]]


class TestPnm:
    """The plainest of all."""

    @pytest.mark.parametrize("top", [1, 15, 100, 255, 1023, 65535])
    @pytest.mark.parametrize("bands", [1, 3])
    def test_levels_are_stretched_and_none_is_lost(self, top: int, bands: int) -> None:
        """Black is black, white is white, and as many levels come out as went in."""
        kind = np.uint8 if top < 256 else np.uint16
        pixels = np.random.default_rng(top).integers(0, top + 1, (40, 50, bands), dtype=kind)
        pixels[0, :2] = [[0] * bands, [top] * bands]
        data = pnm(f"P{5 if bands == 1 else 6}\n# a comment\n50 40\n{top}\n", pixels)
        image = decode(data, LIMITS)
        assert image.info.bit_depth == (8 if top < 256 else 16)
        np.testing.assert_allclose(
            image.pixels, pixels / top, atol=0.5 / 255 if top < 256 else 1e-5
        )
        assert len(np.unique(image.pixels)) == len(np.unique(pixels))
        text = f"P{2 if bands == 1 else 3} 50 40 {top}\n" + " ".join(map(str, pixels.ravel()))
        np.testing.assert_array_equal(decode(text.encode(), LIMITS).pixels, image.pixels)

    def test_bitmaps(self) -> None:
        """1 is black; text may stand without blanks."""
        bits = samples(5, 11) % 2
        packed = pnm("P4\n11 5\n", np.packbits(bits, axis=1))
        text = "P1\n# c\n11 5\n" + "\n".join("".join(map(str, row)) for row in bits)
        for data in (packed, text.encode()):
            np.testing.assert_array_equal(decode(data, LIMITS).pixels[..., 0], 1 - bits)

    @pytest.mark.parametrize(
        ("kind", "bands"), [("GRAYSCALE", 1), ("GRAYSCALE_ALPHA", 2), ("RGB", 3), ("RGB_ALPHA", 4)]
    )
    @pytest.mark.parametrize("top", [255, 65535])
    def test_pam(self, kind: str, bands: int, top: int) -> None:
        """With alpha and without, at both depths."""
        dtype = np.uint8 if top == 255 else np.uint16
        pixels = np.random.default_rng(0).integers(1, top + 1, (40, 50, bands), dtype=dtype)
        image = decode(pam(pixels, kind, top), LIMITS)
        back = levels(image) if top == 255 else deep_levels(image)
        np.testing.assert_array_equal(back, pixels)
        assert image.info.has_alpha == (bands in {2, 4})

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"P5 4 4 255\n" + bytes(16) + b"P5 4 4 255\n" + bytes(16), "multi_frame"),
            (pam(samples(4, 4, 3), "BAYER", 255), "unsupported_format"),
            (b"P5 4 4 70000\n" + bytes(32), "corrupt"),
            (b"P5 0 4 255\n" + bytes(32), "corrupt"),
            (b"P5 4 4 100\n" + b"\xff" * 16, "corrupt"),
            (b"P2 2 2 255\n1 2 x 4 ", "corrupt"),
            (b"P2 2 2 255\n1 2 3 ", "truncated"),
            (b"P2 2 2 255\n1 2 999 4 ", "corrupt"),
            (b"P1 2 2\n0120", "corrupt"),
            (b"P6 9999999 9999999 255\n" + bytes(32), "too_many_pixels"),
            (b"Pf\n4 4\n-1.0\n" + bytes(64), "unsupported_format"),
        ],
    )
    def test_what_is_no_picture_has_a_reason(self, data: bytes, expected: str) -> None:
        """Lying headers, samples out of range, further pictures, floats."""
        assert reason(data) == expected

    @pytest.mark.parametrize("text", [b"P5", b"P4 is a road", b"P1: buy milk", b"P6\n", b"PNG"])
    def test_a_text_is_none(self, text: bytes) -> None:
        """A letter and a digit do not make a picture."""
        assert sniff_format(text) is None


class TestTga:
    """A format without first bytes of its own."""

    def test_an_old_one_is_told_by_its_ending(self) -> None:
        """Without a footer the same bytes could be anything."""
        old = FILES["tga"][:-26]
        assert reason(old) == "unsupported_format"
        np.testing.assert_array_equal(levels(decode(old, named(".tga"))), NOISE)

    @pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
    @pytest.mark.parametrize("compression", [None, "tga_rle"])
    def test_modes(self, mode: str, compression: str | None) -> None:
        """Each comes out as its picture, alpha too."""
        picture = Image.fromarray(NOISE).convert(mode.removesuffix("A") or "L")
        if mode.endswith("A"):
            picture.putalpha(Image.fromarray(samples(40, 50, seed=1) | 1))
        image = decode(saved(picture, "TGA", compression=compression), LIMITS)
        expected = np.asarray(picture.convert("RGB") if mode == "P" else picture)
        np.testing.assert_array_equal(levels(image), expected.reshape(40, 50, -1))

    def test_a_channel_that_is_not_called_alpha_is_no_alpha(self) -> None:
        """Many programs leave the fourth channel at zero: nothing would be seen."""
        data = bytearray(saved(Image.fromarray(np.dstack([NOISE, NOISE[..., :1] * 0])), "TGA"))
        data[17] &= 0xF0
        image = decode(bytes(data), LIMITS)
        np.testing.assert_array_equal(levels(image), NOISE)
        assert "not call alpha" in (image.info.note or "")

    @pytest.mark.parametrize("place", [1, 2, 16, 17])
    def test_an_odd_header_is_none(self, place: int) -> None:
        """Colour map, type, bits and flags have to fit, whatever the ending."""
        data = bytearray(FILES["tga"])
        data[place] = 0xC7
        assert reason(bytes(data), named(".tga")) == "unsupported_format"
