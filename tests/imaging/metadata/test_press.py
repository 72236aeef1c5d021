"""IPTC, texts, comments and Photoshop's resources: kept where the output holds them, or named."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import ExifTags, Image, IptcImagePlugin, PngImagePlugin

from tests.parts.metadata_files import (
    HEADLINE,
    KEYWORDS,
    chunked_png,
    iptc_records,
    jpeg,
    photoshop,
    press_photo,
    segment,
    text_png,
    tiff_bytes,
    with_segments,
)
from tests.parts.picture_files import decode_path, encode_path, tiff
from zssr_daemon.imaging.metadata.png_text import Text
from zssr_daemon.imaging.metadata.xmp import Xmp
from zssr_daemon.imaging.output_format import JPEG, PNG, TIFF, WEBP, OutputFormat


def through(path: Path, data: bytes, output: OutputFormat) -> list[str]:
    """Write a file, and its output `out` beside it; return the notes."""
    path.write_bytes(data)
    return encode_path(path.with_name("out"), decode_path(path), output=output)


def as_numbers(records: bytes) -> bytes:
    """Return a TIFF of two pixels whose records are numbers of four bytes, as some write them."""
    padded = records + bytes(-len(records) % 4)
    entries = {256: (3, (2,)), 257: (3, (1,)), 258: (3, (8,)), 259: (3, (1,)), 262: (3, (1,))}
    entries |= {277: (3, (1,)), 278: (3, (1,))}
    return tiff(entries | {33723: (4, struct.unpack(f"<{len(padded) // 4}I", padded))}, b"\x07\x09")


SOURCES = {
    "JPEG": press_photo(),
    "TIFF": tiff_bytes({33723: iptc_records()}, "RGB", {33723: 7}),
    "TIFF, as numbers": as_numbers(iptc_records()),
    "TIFF of Photoshop": tiff_bytes(
        {34377: photoshop((0x0404, iptc_records()))[14:]}, "RGB", {34377: 7}
    ),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("output", [JPEG, TIFF, PNG])
def test_records_are_kept_letter_by_letter(
    tmp_path: Path, source: str, output: OutputFormat
) -> None:
    """In a segment, a tag, or as text; and what is written is read again."""
    through(tmp_path / "a", SOURCES[source], output)
    found = decode_path(tmp_path / "out").metadata.iptc
    assert found is not None
    assert found.rstrip(b"\0") == iptc_records()


def test_jpeg_is_read_by_others(tmp_path: Path) -> None:
    """Pillow finds the records in the segment that we write."""
    through(tmp_path / "a", press_photo(), JPEG)
    with Image.open(tmp_path / "out") as written:
        found = IptcImagePlugin.getiptcinfo(written)
    assert found is not None
    assert found[2, 105] == HEADLINE.encode()
    assert found[2, 25] == [word.encode() for word in KEYWORDS]


@pytest.mark.parametrize("output", [PNG, WEBP])
def test_records_are_fields_of_xmp_too(tmp_path: Path, output: OutputFormat) -> None:
    """WebP has no other place; few programs look for the text of a PNG."""
    notes = through(tmp_path / "a", press_photo(), output)
    xmp = decode_path(tmp_path / "out").metadata.xmp
    assert xmp is not None
    for wanted in (HEADLINE, *KEYWORDS, "Berlin", "2024-01-31T12:00:00+01:00"):
        assert f">{wanted}</" in xmp
    assert ("IPTC 2:7" in notes[0]) is (output is WEBP)


def test_characters_that_xml_cannot_hold_are_left_out(tmp_path: Path) -> None:
    """A packet that no reader could read would be no place."""
    data = chunked_png((b"tEXt", b"Title\0bell\x07 rings"))
    assert through(tmp_path / "a", data, WEBP) == []
    xmp = decode_path(tmp_path / "out").metadata.xmp
    assert xmp is not None
    assert ">bell rings</" in xmp
    assert Xmp(xmp).has("http://purl.org/dc/elements/1.1/", "title")


def test_what_xmp_says_already_is_not_said_again(tmp_path: Path) -> None:
    """The packet of the source wins."""
    mine = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
        b'22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:photoshop="http://ns.adobe.com/'
        b'photoshop/1.0/" photoshop:Headline="Mine"/></rdf:RDF></x:xmpmeta>'
    )
    data = with_segments(jpeg(xmp=mine), segment(0xED, photoshop((0x0404, iptc_records()))))
    through(tmp_path / "a", data, WEBP)
    xmp = decode_path(tmp_path / "out").metadata.xmp
    assert xmp is not None
    assert "Mine" in xmp
    assert HEADLINE not in xmp


@pytest.mark.parametrize("cut", [1, 4, 9, 40])
@pytest.mark.parametrize("output", [PNG, JPEG, WEBP, TIFF])
def test_damaged_records_cost_themselves(tmp_path: Path, cut: int, output: OutputFormat) -> None:
    """What can be read is kept."""
    resources = photoshop((0x0404, iptc_records()[:-cut]))
    notes = through(tmp_path / "a", with_segments(jpeg(), segment(0xED, resources)), output)
    assert "IPTC" in "".join(notes)


def test_long_records_and_comments_are_named(tmp_path: Path) -> None:
    """A segment of a JPEG holds 64 KB, a tag of a TIFF more."""
    long = b"".join(b"\x1c\x02\x19" + struct.pack(">H", 30_000) + bytes(30_000) for _ in range(3))
    data = tiff_bytes({33723: long}, "RGB", {33723: 7})
    assert through(tmp_path / "a", data, JPEG) == ["not kept: IPTC, too long for a JPEG"]


@pytest.mark.parametrize("output", [PNG, JPEG, TIFF, WEBP])
def test_comment_of_a_jpeg_is_kept(tmp_path: Path, output: OutputFormat) -> None:
    """As comment, as text of a PNG, or in the EXIF."""
    assert through(tmp_path / "a", jpeg(comment="Grüße".encode()), output) == []
    with Image.open(tmp_path / "out") as written:
        written.load()
        in_exif = written.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment, b"")
        texts = {"PNG": "Comment", "JPEG": "comment"}
        found = written.info.get(texts.get(output.name, ""), in_exif)
    assert found in {"Grüße", "Grüße".encode(), b"UNICODE\0" + "Grüße".encode("utf-16-be")}


def test_comment_beside_a_comment_of_the_exif_is_named(tmp_path: Path) -> None:
    """The EXIF has room for one."""
    exif = Image.Exif()
    exif[0x8769] = {0x9286: b"ASCII\0\0\0first"}
    notes = through(tmp_path / "a", jpeg(comment=b"second", exif=exif), WEBP)
    assert notes == ["not kept: text Comment"]


def test_texts_of_a_png_stay_what_they_were(tmp_path: Path) -> None:
    """Keyword, text, language and its keyword."""
    assert through(tmp_path / "a", text_png(), PNG) == []
    before = decode_path(tmp_path / "a").metadata.texts
    after = decode_path(tmp_path / "out").metadata.texts
    assert Text("Description", "Über", "de", "Beschreibung") in after
    assert set(after) - set(before) == {Text("Software", "Painter 1; test")}
    assert set(before) - set(after) == {Text("Software", "Painter 1")}


@pytest.mark.parametrize("output", [JPEG, TIFF, WEBP])
def test_texts_find_a_place_or_are_named(tmp_path: Path, output: OutputFormat) -> None:
    """Title and description are fields of XMP, the software and an author's remark of EXIF."""
    assert through(tmp_path / "a", text_png(), output) == ["not kept: text Warning"]
    metadata = decode_path(tmp_path / "out").metadata
    assert metadata.xmp is not None
    assert ">A title</" in metadata.xmp
    assert ">Über</" in metadata.xmp
    assert metadata.exif is not None
    assert b"Painter 1; test" in metadata.exif
    assert b"a cat, Steps: 20" in metadata.exif


def test_texts_about_the_old_file_are_named(tmp_path: Path) -> None:
    """Programs copy EXIF and sizes of thumbnails into texts, where nobody corrects them."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Thumb::Image::Width", "24")
    info.add_text("exif:PixelXDimension", "24")
    info.add_text("zssr", "{}")
    buffer = io.BytesIO()
    Image.new("L", (24, 18)).save(buffer, "PNG", pnginfo=info)
    (note,) = through(tmp_path / "a", buffer.getvalue(), PNG)
    for wanted in ("Thumb::Image::Width", "exif:PixelXDimension", "parameters of an earlier run"):
        assert wanted in note
    assert [text.keyword for text in decode_path(tmp_path / "out").metadata.texts] == ["Software"]


def test_overlong_text_is_named(tmp_path: Path) -> None:
    """A text that unpacks to a bomb is not unpacked."""
    bomb = b"big\0\0" + zlib.compress(bytes(50 << 20))
    path = tmp_path / "a"
    path.write_bytes(chunked_png((b"zTXt", bomb)))
    image = decode_path(path)
    notes = [image.info.note or "", *encode_path(tmp_path / "out", image)]
    assert "text" in "".join(notes) or "metadata dropped" in "".join(notes)
    assert (tmp_path / "out").stat().st_size < 10_000
