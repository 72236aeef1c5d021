"""Colour tags: a PNG keeps them, other formats get a profile that shows the same, or refuse."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.parts.metadata_files import P3, PQ, avif, chunked_png
from tests.parts.picture_files import decode_path, encode_path
from zssr_daemon.imaging.metadata.colour_tags import ColourTags, equivalent_profile, is_hdr
from zssr_daemon.imaging.output_format import JPEG, PNG, TIFF, WEBP, OutputFormat, OutputRules

HLG = (b"cICP", bytes([9, 18, 0, 1]))
LIGHT = (b"mDCV", bytes(24)), (b"cLLI", bytes(8))


def shown(profile: bytes | None, colour: tuple[int, int, int]) -> list[int]:
    """Return what a colour of a profile is in sRGB."""
    assert profile is not None
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.createProfile("sRGB")
    pixel = Image.new("RGB", (1, 1), colour)
    # Relative: both whites are the paper.
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    out = ImageCms.profileToProfile(pixel, source, srgb, renderingIntent=intent)
    assert out is not None
    return [int(level) for level in np.asarray(out)[0, 0]]


def points(primaries: int, transfer: int) -> ColourTags:
    """Return the chunk of code points."""
    return ((b"cICP", bytes([primaries, transfer, 0, 1])),)


@pytest.mark.parametrize(
    ("primaries", "transfer", "colour", "srgb"),
    [
        (1, 13, (200, 100, 50), [200, 100, 50]),
        (12, 13, (128, 128, 128), [128, 128, 128]),
        (12, 13, (200, 100, 50), [215, 93, 31]),  # by the matrices of CSS Color 4
        (9, 13, (128, 100, 100), [142, 97, 99]),
        (1, 8, (55, 55, 55), [128, 128, 128]),  # linear light of middle grey
        (1, 4, (128, 128, 128), [129, 129, 129]),
        (1, 1, (128, 128, 128), [139, 139, 139]),
    ],
)
def test_code_points_as_profile(
    primaries: int, transfer: int, colour: tuple[int, int, int], srgb: list[int]
) -> None:
    """The profile shows what the code points mean."""
    profile = equivalent_profile(points(primaries, transfer), is_grey=False)
    assert shown(profile, colour) == pytest.approx(srgb, abs=2)


def test_gamma_and_primaries_as_profile() -> None:
    """Both chunks together say what the profile says."""
    gamma = (b"gAMA", struct.pack(">I", 100_000))
    of_p3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    profile = equivalent_profile((gamma,), is_grey=False)
    assert shown(profile, (55, 55, 55)) == pytest.approx([128] * 3, abs=2)
    wide = (b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", struct.pack(">8I", *of_p3))
    alike = equivalent_profile(points(12, 4), is_grey=False)
    colour = (200, 100, 50)
    assert shown(equivalent_profile(wide, is_grey=False), colour) == pytest.approx(
        shown(alike, colour), abs=1
    )


@pytest.mark.parametrize(
    "tags",
    [
        (PQ,),
        (HLG,),
        points(3, 13),
        points(12, 99),
        ((b"cICP", bytes([12, 13, 1, 1])),),
        ((b"cICP", bytes([12, 13, 0, 0])),),
        ((b"cHRM", bytes(32)),),
        ((b"gAMA", bytes(4)),),
        ((b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", bytes(32))),
        ((b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", struct.pack(">8I", *[33_000] * 8))),
    ],
)
def test_what_no_profile_says_gives_none(tags: ColourTags) -> None:
    """Numbers that mean nothing, or more than a profile of curves can say."""
    assert equivalent_profile(tags, is_grey=False) is None


@pytest.mark.parametrize("output", [TIFF, JPEG, WEBP])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_cicp_becomes_a_profile(tmp_path: Path, output: OutputFormat, mode: str) -> None:
    """A PNG of Display P3 is shown alike in a format that knows profiles alone."""
    (tmp_path / "a.png").write_bytes(chunked_png(P3, mode=mode))
    assert encode_path(tmp_path / "out", decode_path(tmp_path / "a.png"), output=output) == []
    icc = decode_path(tmp_path / "out").metadata.icc
    assert icc is not None
    is_grey = mode == "L" and output.has_grey
    assert icc[16:20] == (b"GRAY" if is_grey else b"RGB ")
    if mode == "RGB":
        assert icc == equivalent_profile((P3,), is_grey=False)


@pytest.mark.parametrize("tags", [(P3,), (PQ, *LIGHT), (HLG,)])
def test_png_keeps_its_chunks(tmp_path: Path, tags: ColourTags) -> None:
    """What a PNG says of its light stays in a PNG."""
    (tmp_path / "a.png").write_bytes(chunked_png(*tags))
    image = decode_path(tmp_path / "a.png")
    assert image.info.is_hdr is (tags[0] != P3)
    assert encode_path(tmp_path / "out.png", image) == []
    assert decode_path(tmp_path / "out.png").metadata.png_colour == tags


def test_old_names_are_written_as_new_ones(tmp_path: Path) -> None:
    """The names of two chunks changed before PNG's third edition was out."""
    (tmp_path / "a.png").write_bytes(chunked_png(PQ, (b"mDCv", bytes(24)), (b"cLLi", bytes(8))))
    assert decode_path(tmp_path / "a.png").metadata.png_colour == (PQ, *LIGHT)


def test_profile_and_cicp_stay_together_in_a_png(tmp_path: Path) -> None:
    """The profile is for readers that do not know cICP; other formats take the profile."""
    profile = equivalent_profile((P3,), is_grey=False)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", icc_profile=profile)
    data = (tmp_path / "a.png").read_bytes()
    gamma = struct.pack(">I", 45_455)
    extra = chunked_png(P3, (b"gAMA", gamma))[33 : 33 + 16 + 16]
    (tmp_path / "a.png").write_bytes(data[:33] + extra + data[33:])
    image = decode_path(tmp_path / "a.png")
    assert (image.metadata.icc, image.metadata.png_colour) == (profile, (P3,))
    encode_path(tmp_path / "out.png", image)
    assert decode_path(tmp_path / "out.png").metadata.png_colour == (P3,)
    assert encode_path(tmp_path / "out.tif", image, output=TIFF) == []
    assert decode_path(tmp_path / "out.tif").metadata.icc == profile


def rules(setting: str) -> OutputRules:
    """Return what is asked of an output."""
    return OutputRules(setting=setting, quality=95, keeps_metadata=True, max_pixels=10**7)


@pytest.mark.parametrize("tags", [PQ, HLG])
@pytest.mark.parametrize("setting", ["tiff", "jpeg", "webp"])
def test_hdr_is_refused_by_other_formats(
    tmp_path: Path, tags: tuple[bytes, bytes], setting: str
) -> None:
    """Shown as sRGB it would be grey and dull; the message names the cure."""
    (tmp_path / "a.png").write_bytes(chunked_png(tags))
    info = decode_path(tmp_path / "a.png").info
    fault = rules(setting).fault(info, 48, 36)
    assert fault is not None
    assert fault.reason == "output_without_hdr"
    assert "[output] format must be png" in str(fault)
    assert rules("png").fault(info, 48, 36) is None
    assert rules("same").fault(info, 48, 36) is None


@pytest.mark.parametrize(
    ("primaries", "transfer", "tags"),
    [
        (1, 13, ()),
        (2, 2, ()),
        (12, 13, (P3,)),
        (9, 16, (PQ,)),
        (9, 18, (HLG,)),
        (12, 2, points(12, 2)),
    ],
)
def test_code_points_of_an_avif(
    tmp_path: Path, primaries: int, transfer: int, tags: ColourTags
) -> None:
    """An AVIF without a profile says by nclx what its numbers mean; so does its PNG."""
    (tmp_path / "a.avif").write_bytes(avif(primaries, transfer))
    image = decode_path(tmp_path / "a.avif")
    assert image.metadata.png_colour == tags
    assert image.info.is_hdr is is_hdr(tags)
    encode_path(tmp_path / "out.png", image)
    assert decode_path(tmp_path / "out.png").metadata.png_colour == tags


def test_damage_elsewhere_costs_no_colour(tmp_path: Path) -> None:
    """A PNG read without its damaged chunks still says that it is HDR."""
    data = chunked_png(PQ, (b"tEXt", b"a\0b"))
    (tmp_path / "a.png").write_bytes(data.replace(b"a\0b", b"a\0c"))  # the checksum is wrong now
    image = decode_path(tmp_path / "a.png")
    assert image.info.note is not None
    assert image.info.is_hdr


def test_profiles_are_alike_for_alike_tags() -> None:
    """No date and no chance."""
    assert equivalent_profile((P3,), is_grey=True) == equivalent_profile((P3,), is_grey=True)
    assert PNG.has_hdr
