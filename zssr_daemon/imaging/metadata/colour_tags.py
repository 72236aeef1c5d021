"""ColourTags: what the numbers of a picture mean where no profile says it.

Chunks of a PNG carry it, and so does the `nclx` of an AVIF; both use the code points of
ITU-T H.273 (cICP).
"""

import struct
from collections.abc import Iterator
from typing import Final

from zssr_daemon.imaging.containers import Part, iso_boxes, png_chunks
from zssr_daemon.imaging.icc_writer import Curve, Primaries, write_profile

ColourTags = tuple[tuple[bytes, bytes], ...]

# Chunks of a PNG, and their length in bytes. The names with a small last letter are older.
_LENGTHS: Final = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4, b"mDCV": 24, b"cLLI": 8}
_OLD_NAMES: Final = {b"mDCv": b"mDCV", b"cLLi": b"cLLI"}

_D65: Final = (0.3127, 0.3290)
_BT709: Final = Primaries((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)
_PRIMARIES: Final = {
    1: _BT709,
    4: Primaries((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: Primaries((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: Primaries((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: Primaries((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: Primaries((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
_SRGB: Final = Curve(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_BT709_CURVE: Final = Curve(1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: Final = {
    1: _BT709_CURVE,
    4: Curve(2.2),
    5: Curve(2.8),
    6: _BT709_CURVE,
    8: Curve(1.0),
    13: _SRGB,
    14: _BT709_CURVE,
    15: _BT709_CURVE,
}
_PQ, _HLG = 16, 18
_UNSPECIFIED: Final = 2
_NAMES: Final = {1: "BT.709", 9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}


def read_png_colour(data: bytes) -> ColourTags:
    """Return the chunks of a PNG that say what its numbers mean, those of the right length."""
    found = ((part, _OLD_NAMES.get(part.name, part.name)) for part in png_chunks(data))
    return tuple(
        (name, data[part.start : part.end])
        for part, name in found
        if _LENGTHS.get(name) == part.end - part.start
    )


def read_iso_colour(data: bytes) -> ColourTags:
    """Return the code points of the main picture of an AVIF or HEIC as a PNG writes them.

    Empty where nothing is said, or what a reader assumes anyway: sRGB.
    """
    for name, content in _properties(data):
        if name == b"colr" and content[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", content, 4)
            if (primaries, transfer) in {(1, 13), (1, 1), (2, 2), (1, 2), (2, 13)}:
                return ()
            # The decoder has made RGB of full range of it.
            return ((b"cICP", bytes([primaries & 255, transfer & 255, 0, 1])),)
    return ()


def is_hdr(tags: ColourTags) -> bool:
    """Tell whether the numbers follow PQ or HLG, which no plain profile describes."""
    points = dict(tags).get(b"cICP")
    return points is not None and points[1] in {_PQ, _HLG}


def equivalent_profile(tags: ColourTags, *, is_grey: bool) -> bytes | None:
    """Return a profile that says the same as `tags`, or None where none can."""
    by_name = dict(tags)
    try:
        if b"cICP" in by_name:
            return _of_code_points(by_name[b"cICP"], is_grey=is_grey)
        if b"sRGB" in by_name:
            return write_profile("sRGB", _BT709, _SRGB, is_grey=is_grey)
        return _of_gamma(by_name, is_grey=is_grey)
    except ValueError:
        return None


def _of_code_points(points: bytes, *, is_grey: bool) -> bytes | None:
    primaries, transfer, matrix, is_full_range = points
    if matrix != 0 or is_full_range != 1:  # no RGB as it is stored here
        return None
    colours = _PRIMARIES.get(1 if primaries == _UNSPECIFIED else primaries)
    curve = _CURVES.get(13 if transfer == _UNSPECIFIED else transfer)
    if colours is None or curve is None:
        return None
    name = f"{_NAMES.get(primaries, f'primaries {primaries}')}, transfer {transfer} (H.273)"
    return write_profile(name, colours, curve, is_grey=is_grey)


def _of_gamma(by_name: dict[bytes, bytes], *, is_grey: bool) -> bytes | None:
    """Return the profile of gAMA, or None without it: cHRM alone tells no curve."""
    if b"gAMA" not in by_name:
        return None
    (gamma,) = struct.unpack(">I", by_name[b"gAMA"])
    if not 10_000 <= gamma <= 1_000_000:
        raise ValueError(gamma)
    primaries = _BT709
    if b"cHRM" in by_name:
        white, red, green, blue = struct.iter_unpack(">II", by_name[b"cHRM"])
        places = [(x / 100_000, y / 100_000) for x, y in (red, green, blue, white)]
        primaries = Primaries(*places)
    return write_profile("gAMA of a PNG", primaries, Curve(100_000 / gamma), is_grey=is_grey)


def _properties(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of the properties of an ISO file's main item."""
    meta = next((part for part in iso_boxes(data) if part.name == b"meta"), None)
    if meta is None:
        return
    boxes = {part.name: part for part in _children(data, meta.start + 4, meta.end)}
    inner = {part.name: part for part in _children(data, boxes[b"iprp"].start, boxes[b"iprp"].end)}
    properties = list(_children(data, inner[b"ipco"].start, inner[b"ipco"].end))
    main = _main_item(data, boxes[b"pitm"])
    for index in _associated(data, inner[b"ipma"], main):
        if 0 < index <= len(properties):
            part = properties[index - 1]
            yield part.name, data[part.start : part.end]


def _children(data: bytes, start: int, end: int) -> Iterator[Part]:
    for part in iso_boxes(data[start:end]):
        yield Part(part.name, part.start + start, part.end + start)


def _main_item(data: bytes, box: Part) -> int:
    code = ">H" if data[box.start] == 0 else ">I"
    number: int = struct.unpack_from(code, data, box.start + 4)[0]
    return number


def _associated(data: bytes, box: Part, item: int) -> list[int]:
    """Return the numbers, from 1, of an item's properties (ISO/IEC 23008-12, 9.3.1)."""
    version, is_wide = data[box.start], data[box.start + 3] & 1
    (count,) = struct.unpack_from(">I", data, box.start + 4)
    position = box.start + 8
    id_code = ">H" if version < 1 else ">I"
    for _ in range(min(count, len(data))):
        (number,) = struct.unpack_from(id_code, data, position)
        position += struct.calcsize(id_code)
        entries = data[position]
        position += 1
        code = f">{entries}{'H' if is_wide else 'B'}"
        indices = struct.unpack_from(code, data, position)
        position += struct.calcsize(code)
        if number == item:
            return [index & (0x7FFF if is_wide else 0x7F) for index in indices]
    return []
