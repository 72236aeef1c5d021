"""XMP: packets of strangers are read safely, edited as XML, and kept as they are otherwise."""

import hashlib
import struct
from pathlib import Path

import pytest

from tests.parts.metadata_files import (
    chunked_png,
    jpeg,
    packet,
    segment,
    with_segments,
    xmp_segment,
)
from tests.parts.picture_files import decode_path, encode_path
from zssr_daemon.imaging.metadata.enlargement import Enlargement, Grid
from zssr_daemon.imaging.metadata.xmp import Xmp
from zssr_daemon.imaging.metadata.xmp_rules import enlarge_xmp
from zssr_daemon.imaging.output_format import JPEG

DC = {"dc": "http://purl.org/dc/elements/1.1/"}
NOTE = {"xmpNote": "http://ns.adobe.com/xmp/note/"}
TIFF = {"tiff": "http://ns.adobe.com/tiff/1.0/"}
GIMAGE = {"GImage": "http://ns.google.com/photos/1.0/image/"}

BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
WAY = Enlargement(grid=Grid(width=24, height=18), scale=(2.0, 2.0), width=48, height=36)


def through(path: Path, data: bytes) -> tuple[str | None, list[str]]:
    """Return the packet of a PNG made of a JPEG, and the notes."""
    path.write_bytes(data)
    notes = encode_path(path.with_name("out.png"), decode_path(path))
    return decode_path(path.with_name("out.png")).metadata.xmp, notes


def test_what_needs_no_change_is_kept_letter_by_letter(tmp_path: Path) -> None:
    """Only a packet that says something false is written anew."""
    content = packet(DC, 'dc:source="here"') + b"<!-- padding -->   "
    xmp, notes = through(tmp_path / "a.jpg", jpeg(xmp=content))
    assert (xmp, notes) == (content.decode(), [])


def test_prefixes_and_lists_outlive_an_edit() -> None:
    """Programs look for the names they wrote."""
    inner = "<dc:subject><rdf:Bag><rdf:li>é</rdf:li></rdf:Bag></dc:subject>"
    xmp = Xmp(packet(DC | TIFF, 'tiff:ImageWidth="24"', inner).decode())
    assert enlarge_xmp(xmp, WAY, "image/png") == []
    assert 'tiff:ImageWidth="48"' in xmp.text()
    assert "<dc:subject><rdf:Bag><rdf:li>é</rdf:li></rdf:Bag></dc:subject>" in xmp.text()
    assert xmp.text().startswith("<?xpacket begin=")


@pytest.mark.parametrize("text", [BOMB, FILE, "<x", "", "no xml", "<a:b/>", "\0", "<x>" * 100_000])
def test_damaged_and_hostile_packets_are_dropped_and_named(tmp_path: Path, text: str) -> None:
    """No entity is expanded, no file is read, and no image fails."""
    xmp, notes = through(
        tmp_path / "a.jpg", with_segments(jpeg(), xmp_segment(text[:60_000].encode()))
    )
    assert xmp is None
    assert [note.startswith("not kept: damaged XMP (") for note in notes] == (
        [True] if text.strip("\0") else []
    )


def test_deep_packets_cost_no_image(tmp_path: Path) -> None:
    """Elements in elements in elements: whatever becomes of them, the picture is written."""
    deep = "<x>" * 8_000 + "</x>" * 8_000
    xmp, _ = through(tmp_path / "a.jpg", jpeg(xmp=deep.encode()))
    assert xmp in {None, deep}


def extended(content: bytes, *, digest: bytes | None = None) -> list[bytes]:
    """Return the segments of extended XMP, in two parts and in the wrong order."""
    digest = digest or hashlib.md5(content).hexdigest().upper().encode()
    half = len(content) // 2
    parts = [(half, content[half:]), (0, content[:half])]
    return [
        segment(
            0xE1,
            b"http://ns.adobe.com/xmp/extension/\0"
            + digest
            + struct.pack(">II", len(content), at)
            + part,
        )
        for at, part in parts
    ]


@pytest.mark.parametrize("is_whole", [True, False])
def test_extended_xmp_is_joined_or_named(tmp_path: Path, is_whole: bool) -> None:
    """A JPEG cuts long XMP in pieces; the output has one packet, and no pointer to pieces."""
    digest = None if is_whole else b"0" * 32
    more = extended(packet(DC, 'dc:source="far away"'), digest=digest)
    main = packet(NOTE, f'xmpNote:HasExtendedXMP="{"A" * 32}"')
    xmp, notes = through(tmp_path / "a.jpg", with_segments(jpeg(), xmp_segment(main), *more))
    assert xmp is not None
    assert "HasExtendedXMP" not in xmp
    assert ("far away" in xmp) is is_whole
    assert notes == ([] if is_whole else ["not kept: incomplete extended XMP"])


def test_long_xmp_is_cut_in_pieces_again(tmp_path: Path) -> None:
    """A segment of a JPEG holds 64 KB, several hold all of it."""
    content = packet(DC, f'dc:source="{"é" * 100_000}"')
    (tmp_path / "a.png").write_bytes(png_of(content))
    image = decode_path(tmp_path / "a.png")
    assert encode_path(tmp_path / "out.jpg", image, output=JPEG) == []
    xmp, notes = through(tmp_path / "b.jpg", (tmp_path / "out.jpg").read_bytes())
    assert xmp is not None
    assert "é" * 100_000 in xmp
    assert "HasExtendedXMP" not in xmp
    assert "XMP" not in "".join(notes)


def png_of(content: bytes) -> bytes:
    """Return a PNG with a packet."""
    return chunked_png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + content))


def test_pictures_inside_the_packet_are_struck_and_named() -> None:
    """A second picture in base64 shows the old size."""
    xmp = Xmp(packet(GIMAGE, 'GImage:Mime="image/jpeg" GImage:Data="AAAA"').decode())
    assert enlarge_xmp(xmp, WAY, "image/png") == ["second picture in the XMP"]
    assert "GImage:" not in xmp.text().replace("xmlns:GImage", "")


def test_kind_of_file_is_that_of_the_output() -> None:
    """What was a JPEG is now a PNG."""
    inner = "<dc:format>image/jpeg</dc:format>"
    xmp = Xmp(packet(DC, "", inner).decode())
    enlarge_xmp(xmp, WAY, "image/png")
    assert "<dc:format>image/png</dc:format>" in xmp.text()
