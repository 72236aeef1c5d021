"""OtherParts: what a PNG, WebP, BMP or AVIF holds that no output keeps."""

import struct
from collections.abc import Iterator
from typing import Final

from zssr_daemon.imaging.containers import Part, iso_boxes, png_chunks

_CREDENTIALS: Final = "content credentials (C2PA, no longer valid)"

# Chunks that are read, or that say how the file was written. tIME is when the file was written.
_PNG_KNOWN: Final = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
    | {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi"}
    | {b"pHYs", b"eXIf", b"zxIf", b"tEXt", b"zTXt", b"iTXt", b"tIME"}
    | {b"sBIT", b"hIST", b"sPLT", b"iDOT"}
)
_WEBP_KNOWN: Final = frozenset(
    {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}
)
_ISO_KNOWN: Final = frozenset(
    {b"ftyp", b"meta", b"mdat", b"idat", b"free", b"skip", b"moov", b"mini"}
)
_BMP_V5_BYTES: Final = 124
_BMP_PROFILES: Final = frozenset({b"DEBM", b"KNIL"})  # embedded, linked
_C2PA_UUID: Final = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


def lost_of_png(data: bytes) -> list[str]:
    """Name the chunks that are not kept."""
    names = [part.name for part in png_chunks(data) if part.name not in _PNG_KNOWN]
    lost = [_CREDENTIALS] if b"caBX" in names else []
    others = dict.fromkeys(name.decode("latin-1") for name in names if name != b"caBX")
    return lost + ([f"PNG chunks ({', '.join(others)})"] if others else [])


def lost_of_webp(data: bytes) -> list[str]:
    """Name the chunks that are not kept."""
    names = [part.name for part in _riff_chunks(data) if part.name not in _WEBP_KNOWN]
    lost = [_CREDENTIALS] if b"C2PA" in names else []
    others = dict.fromkeys(name.decode("latin-1") for name in names if name != b"C2PA")
    return lost + ([f"WebP chunks ({', '.join(others)})"] if others else [])


def lost_of_iso(data: bytes) -> list[str]:
    """Name the boxes and items of an AVIF or HEIC that are not kept."""
    lost = []
    for part in iso_boxes(data):
        content = data[part.start : part.end]
        if part.name == b"meta":
            if b"infe" in content and (b"tmap" in content or b"hdrgainmap" in content):
                lost.append("HDR gain map")
            if b"urn:mpeg:hevc:2015:auxid:2" in content or b"auxid:depth" in content:
                lost.append("depth map")
        elif part.name == b"uuid" and content[:16] == _C2PA_UUID:
            lost.append(_CREDENTIALS)
        elif part.name not in _ISO_KNOWN:
            lost.append(f"box {part.name.decode('latin-1')}")
    return list(dict.fromkeys(lost))


def lost_of_bmp(data: bytes) -> list[str]:
    """Name the colour profile that the largest kind of header can bring, and that is not read."""
    size, kind = struct.unpack_from("<I", data, 14)[0], data[70:74]
    has_profile = size == _BMP_V5_BYTES and kind in _BMP_PROFILES
    return ["colour profile of the BMP"] if has_profile else []


def _riff_chunks(data: bytes) -> Iterator[Part]:
    position = 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        start = position + 8
        yield Part(name, start, start + length)
        position = start + length + length % 2
