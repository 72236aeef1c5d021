"""Pages of a TIFF: the picture is taken, and what only comes with it is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.picture_files import (
    LIMITS,
    decode_path,
    inspect_path,
    levels,
    refusal,
    smooth_picture,
)
from tests.parts.tiff_files import Directory, tiff_of
from zssr_daemon.imaging.decode import count_frames, decode

REDUCED = {254: (4, (1,))}
MASK = {254: (4, (4,))}
OF_SEVERAL = {254: (4, (2,))}
OLD_REDUCED = {255: (3, (2,))}

EACH = replace(LIMITS, each_frame=True)

FULL = Directory(40)


@pytest.mark.parametrize(
    ("pages", "note"),
    [
        ([FULL, Directory(8, REDUCED)], "page 0 of 2 taken, left out: 1 × reduced copy"),
        ([Directory(8, REDUCED), FULL], "page 1 of 2 taken, left out: 1 × reduced copy"),
        ([FULL, Directory(8, OLD_REDUCED)], "page 0 of 2 taken, left out: 1 × reduced copy"),
        ([FULL, Directory(40, MASK)], "page 0 of 2 taken, left out: 1 × mask"),
        (
            [FULL, Directory(20, REDUCED), Directory(10, REDUCED), Directory(40, MASK)],
            "page 0 of 4 taken, left out: 2 × reduced copy, 1 × mask",
        ),
        ([Directory(40, OF_SEVERAL), Directory(8, {254: (4, (5,))})], "1 × mask"),
        ([Directory(40, below=[Directory(20, REDUCED)])], "left out: 1 × reduced copy"),
        ([Directory(40, REDUCED)], None),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_full_picture_is_taken(
    tmp_path: Path, pages: list[Directory], note: str | None, order: str
) -> None:
    """Thumbnails, overviews and masks are left out with a note, wherever the picture stands."""
    (tmp_path / "a.tif").write_bytes(tiff_of(*pages, order=order))
    info = inspect_path(tmp_path / "a.tif")
    assert (info.width, info.height, info.frames) == (40, 40, 1)
    assert (note or "") in (info.note or "")
    assert (info.note is None) == (note is None)
    assert count_frames((tmp_path / "a.tif").read_bytes(), EACH) == 1
    assert decode_path(tmp_path / "a.tif").pixels.shape == (40, 40, 1)


def test_real_pages_are_several_frames(tmp_path: Path) -> None:
    """Two pictures are refused; with `frames = "each"` both are taken, and they alone."""
    pages = [Directory(30, level=1), Directory(9, REDUCED), Directory(20, OF_SEVERAL, level=2)]
    (tmp_path / "a.tif").write_bytes(tiff_of(*pages))
    assert refusal(tmp_path / "a.tif").reason == "multi_frame"
    data = (tmp_path / "a.tif").read_bytes()
    assert count_frames(data, EACH) == 2
    frames = [decode(data, EACH, frame=frame) for frame in range(2)]
    assert [levels(each)[0, 0, 0] for each in frames] == [1, 2]
    assert [each.info.width for each in frames] == [30, 20]
    assert all("left out: 1 × reduced copy" in (each.info.note or "") for each in frames)


def test_a_picture_below_a_thumbnail_is_not_replaced_by_it(tmp_path: Path) -> None:
    """Where the only page is a thumbnail and the picture lies in a SubIFD, the file is refused."""
    (tmp_path / "a.tif").write_bytes(tiff_of(Directory(8, REDUCED, below=[FULL])))
    assert refusal(tmp_path / "a.tif").reason == "unsupported_format"


@pytest.mark.parametrize("link", [1 << 30, 3])
def test_a_page_beyond_the_end_is_not_left_out(tmp_path: Path, link: int) -> None:
    """A chain of pages that leads nowhere is a file that is cut, or damaged."""
    data = bytearray(tiff_of(FULL))
    data[-4:] = link.to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(data)
    assert refusal(tmp_path / "a.tif").reason in {"truncated", "corrupt"}


def test_a_page_coded_as_webp_is_read(tmp_path: Path) -> None:
    """The codec is libvips's: Pillow's libtiff has none."""
    picture = smooth_picture()
    webp = tmp_path / "a.webp"
    picture.save(webp, lossless=True)
    coded = webp.read_bytes()
    size = {256: (4, (picture.width,)), 257: (4, (picture.height,)), 278: (4, (picture.height,))}
    depth = {258: (3, (8, 8, 8)), 259: (3, (50001,)), 262: (3, (2,)), 277: (3, (3,))}
    data = bytearray(tiff_of(Directory(8, {**size, **depth, 273: (4, (0,)), 279: (4, (0,))})))
    place = len(data)
    for tag, value in ((273, place), (279, len(coded))):
        entry = data.index(tag.to_bytes(2, "little") + b"\4\0")
        data[entry + 8 : entry + 12] = value.to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(bytes(data) + coded)
    image = decode_path(tmp_path / "a.tif")
    assert (levels(image) == levels(decode_path(webp))).all()
