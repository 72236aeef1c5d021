"""JpegParts: what a JPEG holds besides its picture: comment, IPTC, more XMP, and what is lost."""

import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zssr_daemon.imaging.containers import jpeg_segments
from zssr_daemon.imaging.metadata.iptc import RESOURCE as IPTC_RESOURCE
from zssr_daemon.imaging.metadata.iptc import lost_resources, photoshop_resources
from zssr_daemon.imaging.metadata.namespaces import RDF, XMP_NOTE, X

_EXTENSION_HEAD: Final = b"http://ns.adobe.com/xmp/extension/\0"
_PIECE_BYTES: Final = 65_000
_PHOTOSHOP_HEAD: Final = b"Photoshop 3.0\0"

# Segments that others read, or that say how the file was written: marker, beginning.
_KNOWN: Final = (
    (b"\xe0", b"JFIF\0"),
    (b"\xe0", b"JFXX\0"),  # a thumbnail
    (b"\xe1", b"Exif\0"),
    (b"\xe1", b"http://ns.adobe.com/xap/1.0/\0"),
    (b"\xe1", _EXTENSION_HEAD),
    (b"\xe2", b"ICC_PROFILE\0"),
    (b"\xe2", b"MPF\0"),  # told by what lies behind the picture
    (b"\xec", b"Ducky"),  # the quality
    (b"\xed", _PHOTOSHOP_HEAD),
    (b"\xee", b"Adobe"),  # the colour transform
)

_GAIN_MAP_MARKS: Final = (
    b"urn:iso:std:iso:ts:21496",
    b"http://ns.adobe.com/hdr-gain-map/1.0/",
    b"HDRGainMap/1.0/",
    b"aux:hdrgainmap",
)

# Within the coded picture 0xFF is followed by 0, by a restart marker, or by another 0xFF.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_CREDENTIALS: Final = "content credentials (C2PA, no longer valid)"
_BOX: Final = "JUMBF box"


@dataclass(slots=True)
class JpegParts:
    """What was found; `lost` names what no output keeps, `lost_parts` what is no metadata."""

    comments: list[str] = field(default_factory=list)
    iptc: bytes | None = None
    extended_xmp: str | None = None
    lost: list[str] = field(default_factory=list)
    lost_parts: list[str] = field(default_factory=list)


def read_jpeg_parts(data: bytes) -> JpegParts:
    """Read what lies around the picture. Raises IndexError or struct.error for damage."""
    parts = JpegParts()
    photoshop = b""
    extension: dict[bytes, dict[int, bytes]] = {}
    for segment in jpeg_segments(data):
        content = data[segment.start : segment.end]
        if segment.name == b"\xfe":
            parts.comments.append(_as_text(content.rstrip(b"\0")))
        elif segment.name == b"\xed" and content.startswith(_PHOTOSHOP_HEAD):
            photoshop += content.removeprefix(_PHOTOSHOP_HEAD)
        elif segment.name == b"\xe1" and content.startswith(_EXTENSION_HEAD):
            _collect(extension, content[len(_EXTENSION_HEAD) :])
        elif b"\xe0" <= segment.name <= b"\xef":
            parts.lost += _name_unknown(segment.name, content)
    resources = photoshop_resources(photoshop)
    parts.iptc = resources.get(IPTC_RESOURCE)
    parts.lost += lost_resources(resources)
    parts.extended_xmp = _joined(extension, parts.lost)
    parts.lost_parts += _behind(data)
    # A store is cut into segments, of which the first has its name.
    is_signed = _CREDENTIALS in parts.lost
    parts.lost = [what for what in dict.fromkeys(parts.lost) if what != _BOX or not is_signed]
    return parts


def xmp_in_pieces(xmp: bytes) -> tuple[bytes, bytes]:
    """Cut XMP that is too long for a segment: the packet that points at the pieces, and these.

    XMP specification, part 3, 1.1.3.1.
    """
    digest = _digest(xmp)
    about = f'rdf:about="" xmlns:xmpNote="{XMP_NOTE}" xmpNote:HasExtendedXMP="{digest}"'
    packet = (
        f'<x:xmpmeta xmlns:x="{X}"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description {about}/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    pieces = b""
    for offset in range(0, len(xmp), _PIECE_BYTES):
        content = _EXTENSION_HEAD + digest.encode() + struct.pack(">II", len(xmp), offset)
        content += xmp[offset : offset + _PIECE_BYTES]
        pieces += b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    return packet.encode(), pieces


def picture_end(data: bytes) -> int:
    """Return where the picture ends: behind its end marker, or at the end of the file."""
    scans = [part for part in jpeg_segments(data) if part.name == b"\xda"]
    position = scans[-1].end if scans else len(data)
    while marker := _NEXT_MARKER.search(data, position):
        position = marker.end()
        if marker.group() == b"\xff\xd9":
            return position
        (length,) = struct.unpack_from(">H", data, position)
        position += length
    return len(data)


def _as_text(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _name_unknown(marker: bytes, content: bytes) -> list[str]:
    """Name a segment that nothing else reads."""
    if any(marker == known and content.startswith(head) for known, head in _KNOWN):
        return []
    number = marker[0] - 0xE0
    if number == 11 and content[:2] == b"JP":  # boxes of JUMBF
        return [_CREDENTIALS if b"c2pa" in content else _BOX]
    if content.startswith(b"urn:iso:std:iso:ts:21496"):
        return []  # told with the picture that it belongs to
    letters = re.match(rb"[\w:/. -]{2,40}", content)
    return [f"APP{number} {letters.group().decode() if letters else ''}".strip()]


def _collect(extension: dict[bytes, dict[int, bytes]], content: bytes) -> None:
    """Put a part of extended XMP in its place."""
    digest = content[:32]
    _, offset = struct.unpack_from(">II", content, 32)
    extension.setdefault(digest, {})[offset] = content[40:]


def _joined(extension: dict[bytes, dict[int, bytes]], lost: list[str]) -> str | None:
    """Return the extended XMP, if it is complete."""
    for digest, pieces in extension.items():
        whole = b"".join(pieces[offset] for offset in sorted(pieces))
        if _digest(whole) == digest.decode("latin-1").upper():
            return whole.decode("utf-8", "replace")
        lost.append("incomplete extended XMP")
    return None


def _digest(content: bytes) -> str:
    """Return the name of extended XMP."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest().upper()


def _behind(data: bytes) -> list[str]:
    """Name what follows the picture: a video, a gain map, further pictures, or just bytes."""
    end = picture_end(data)
    rest = data[end:]
    if not rest.strip(b"\0\xff\r\n "):
        return []
    found: dict[str, Callable[[], bool]] = {
        "HDR gain map": lambda: any(mark in rest for mark in _GAIN_MAP_MARKS),
        "video of the motion photo": lambda: (
            re.search(rb"ftyp(mp4|iso|qt|avc|MSNV)", rest) is not None
        ),
    }
    names = [name for name, is_there in found.items() if is_there()]
    if names:
        return names
    if b"\xff\xd8\xff" in rest:
        return ["further pictures behind the first"]
    return [f"{len(rest)} bytes behind the picture"]
