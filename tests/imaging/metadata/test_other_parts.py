"""Other parts: what lies in a file beside its picture, and is not kept, has a name."""

import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from tests.parts.metadata_files import jpeg, segment, with_segments
from tests.parts.picture_files import decode_path, encode_path
from zssr_daemon.imaging.metadata.jpeg_parts import picture_end


def notes_of(path: Path, data: bytes) -> list[str]:
    """Return the notes of a PNG made of a file."""
    path.write_bytes(data)
    return encode_path(path.with_name("out.png"), decode_path(path))


def saved(kind: str) -> bytes:
    """Return a picture as Pillow saves it."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").resize((24, 18)).save(buffer, kind)
    return buffer.getvalue()


def test_chunks_of_a_webp(tmp_path: Path) -> None:
    """RIFF holds what anybody puts there."""
    data = saved("WEBP") + b"C2PA" + struct.pack("<I", 4) + b"abcd" + b"XTRA" + struct.pack("<I", 0)
    data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    told = "content credentials (C2PA, no longer valid), WebP chunks (XTRA)"
    assert notes_of(tmp_path / "a", data) == [f"not kept: {told}"]


def test_boxes_of_an_avif(tmp_path: Path) -> None:
    """A store of credentials is a box with an identifier; others have names."""
    c2pa = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
    data = saved("AVIF") + struct.pack(">I", 24) + b"uuid" + c2pa + struct.pack(">I", 8) + b"xtra"
    told = "content credentials (C2PA, no longer valid), box xtra"
    assert notes_of(tmp_path / "a", data) == [f"not kept: {told}"]


def test_profile_of_a_bmp(tmp_path: Path) -> None:
    """The fifth kind of header can bring a profile."""
    plain = saved("BMP")
    assert notes_of(tmp_path / "a", plain) == []
    head = struct.pack("<I", 124) + plain[18:54] + bytes(16) + b"DEBM" + bytes(64)
    start = 14 + 124
    data = plain[:10] + struct.pack("<I", start) + head[:124] + plain[54:]
    assert notes_of(tmp_path / "b", data) == ["not kept: colour profile of the BMP"]


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        (b"", []),
        (bytes(100) + b"\r\n", []),
        (b"x" * 50, ["not kept: 50 bytes behind the picture"]),
        (b"\0\0\0\x18ftypmp42" + bytes(9), ["not kept: video of the motion photo"]),
        (jpeg(), ["not kept: further pictures behind the first"]),
        (jpeg() + b"urn:iso:std:iso:ts:21496:-1", ["not kept: HDR gain map"]),
    ],
)
def test_what_lies_behind_a_jpeg(tmp_path: Path, behind: bytes, told: list[str]) -> None:
    """The picture ends at its own end marker, whatever follows; fillings need no word."""
    assert notes_of(tmp_path / "a", jpeg() + behind) == told


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_end_of_a_picture(options: dict[str, object]) -> None:
    """Scans, restart markers and thumbnails hold no end of the picture."""
    thumbnail = segment(0xE1, b"Exif\0\0" + jpeg())
    data = with_segments(jpeg(**options), thumbnail)
    assert picture_end(data + jpeg()) == len(data)
