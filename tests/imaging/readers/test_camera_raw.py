"""Camera raw: the small preview in front of the photograph is never taken for it."""

from pathlib import Path

import pytest

from tests.parts.picture_files import inspect_path, refusal, smooth_picture
from tests.parts.tiff_files import Directory, tiff_of
from zssr_daemon.errors import UNFINISHED_REASONS

REDUCED = {254: (4, (1,))}


def raw(**tags: tuple[int, tuple[int, ...]]) -> Directory:
    """Return what a sensor saw; `t262` is a tag."""
    return Directory(40, {int(name[1:]): value for name, value in tags.items()})


TIFFS = {
    "SubIFD of a colour filter array (NEF, ARW)": tiff_of(
        Directory(8, REDUCED, below=[raw(t262=(3, (32803,)))])
    ),
    "big endian": tiff_of(Directory(8, REDUCED, below=[raw(t262=(3, (32803,)))]), order=">"),
    "SubIFD of linear raw (DNG of a phone)": tiff_of(
        Directory(8, REDUCED, below=[raw(t262=(3, (34892,)))])
    ),
    "second SubIFD": tiff_of(
        Directory(8, REDUCED, below=[Directory(16, REDUCED), raw(t262=(3, (32803,)))])
    ),
    "first page itself (PEF)": tiff_of(raw(t262=(3, (32803,))), Directory(8, REDUCED)),
    "second page": tiff_of(Directory(8, REDUCED), raw(t262=(3, (32803,)))),
    "coding of Nikon alone": tiff_of(Directory(8, REDUCED, below=[raw(t259=(3, (34713,)))])),
    "version of DNG alone": tiff_of(Directory(8, {50706: (1, (1, 4, 0, 0))})),
}

PREFIXES = {
    "CR2": b"II*\0\x10\0\0\0CR\x02\0" + bytes(40),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(40),
    "ORF": b"IIRO\x08\0\0\0" + bytes(40),
    "RW2": b"IIU\0\x18\0\0\0" + bytes(40),
    "RAF": b"FUJIFILMCCD-RAW 0201FF129502" + bytes(40),
    "X3F": b"FOVb\0\0\x02\0" + bytes(40),
    "MRW": b"\0MRM\0\0\0\x10" + bytes(40),
}


@pytest.mark.parametrize("kind", [*TIFFS, *PREFIXES])
def test_raw_is_refused_whatever_it_is_called(tmp_path: Path, kind: str) -> None:
    """The content tells; the message says what to do; it never counts as unfinished."""
    path = tmp_path / "a.tif"
    path.write_bytes({**TIFFS, **PREFIXES}[kind])
    error = refusal(path)
    assert error.reason == "unsupported_raw"
    assert "develop it first" in str(error)
    assert error.reason not in UNFINISHED_REASONS


def test_a_tiff_named_dng_is_a_tiff(tmp_path: Path) -> None:
    """The ending alone makes no raw."""
    smooth_picture(20, 15).save(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.dng")
    assert inspect_path(tmp_path / "a.dng").width == 20


def test_a_damaged_subifd_is_no_raw_and_no_fault(tmp_path: Path) -> None:
    """A pointer beyond the end of the file says nothing about the picture of the page."""
    (tmp_path / "a.tif").write_bytes(tiff_of(Directory(8, {330: (4, (1 << 30,))})))
    assert inspect_path(tmp_path / "a.tif").width == 8


def test_a_list_of_subifds_without_end_is_cheap(tmp_path: Path) -> None:
    """Thousands of pointers to one directory are not all followed."""
    data = tiff_of(Directory(8, {330: (4, (8,) * 300_000)}))
    (tmp_path / "a.tif").write_bytes(data)
    assert inspect_path(tmp_path / "a.tif").width == 8


@pytest.mark.parametrize(
    "content",
    [
        b"8BPS\0\x01" + bytes(20),
        b"v/1\x01\x02\0\0\0",
        b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
        b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0" + bytes(20),
        b"DDS |\0\0\0" + bytes(20),
        b"\xff\xd8\xff\xf7\0\x0b\x08" + bytes(20),
        b"\xd7\xcd\xc6\x9a" + bytes(20),
        b"gimp xcf v011" + bytes(20),
        b"SIMPLE  =                    T",
        b"qoif" + bytes(20),
        b"PF\n4 4\n-1.0\n" + bytes(200),
        bytes(128) + b"DICM" + bytes(20),
    ],
)
def test_an_image_that_is_not_read_is_named(tmp_path: Path, content: bytes) -> None:
    """The message names the format, and says what to do."""
    (tmp_path / "a").write_bytes(content)
    error = refusal(tmp_path / "a")
    assert error.reason == "unsupported_format"
    assert "save it as PNG or TIFF" in str(error)
