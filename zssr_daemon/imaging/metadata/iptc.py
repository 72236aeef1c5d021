"""IPTC: the records that news agencies write, in a Photoshop resource or a tag, and as XMP."""

import struct
from collections.abc import Iterator
from typing import Final

from zssr_daemon.imaging.metadata.namespaces import DC, IPTC_CORE, PHOTOSHOP
from zssr_daemon.imaging.metadata.xmp import Xmp

#: The Photoshop resource that holds the records.
RESOURCE: Final = 0x0404

_SEGMENT_HEAD: Final = b"Photoshop 3.0\0"
_MAX_SEGMENT_BYTES: Final = 65_533
_TAG_MARKER: Final = 0x1C
_UTF8: Final = b"\x1b%G"  # what 1:90 says of the records behind it
_CHARACTER_SET: Final = (1, 90)

_DC, _PHOTOSHOP, _CORE = ("dc", DC), ("photoshop", PHOTOSHOP), ("Iptc4xmpCore", IPTC_CORE)

# The data sets of record 2 that have a place in XMP, by IPTC's own mapping.
_AS_XMP: Final = {
    5: (*_DC, "title"),
    10: (*_PHOTOSHOP, "Urgency"),
    12: (*_CORE, "SubjectCode"),
    15: (*_PHOTOSHOP, "Category"),
    20: (*_PHOTOSHOP, "SupplementalCategories"),
    25: (*_DC, "subject"),
    40: (*_PHOTOSHOP, "Instructions"),
    55: (*_PHOTOSHOP, "DateCreated"),
    80: (*_DC, "creator"),
    85: (*_PHOTOSHOP, "AuthorsPosition"),
    90: (*_PHOTOSHOP, "City"),
    92: (*_CORE, "Location"),
    95: (*_PHOTOSHOP, "State"),
    100: (*_CORE, "CountryCode"),
    101: (*_PHOTOSHOP, "Country"),
    103: (*_PHOTOSHOP, "TransmissionReference"),
    105: (*_PHOTOSHOP, "Headline"),
    110: (*_PHOTOSHOP, "Credit"),
    115: (*_PHOTOSHOP, "Source"),
    116: (*_DC, "rights"),
    120: (*_DC, "description"),
    122: (*_PHOTOSHOP, "CaptionWriter"),
}
# Record 2: its own version, and the time that belongs to the date.
_VERSION, _DATE, _TIME = 0, 55, 60

# Resources of Photoshop that need no word: records, EXIF, XMP and profile are read by themselves,
# the resolution is the file's, thumbnails show the old picture, digests compare what is no longer
# there; the others are numbers, defaults and switches of the program itself.
_SILENT: Final = frozenset(
    {RESOURCE, 0x03ED, 0x0409, 0x040C, 0x040F, 0x0422, 0x0423, 0x0424, 0x0425}
    | {0x03E8, 0x03E9, 0x03EA, 0x03F3, 0x03F5, 0x03F8, 0x0400, 0x0402, 0x0406, 0x040D, 0x0411}
    | {0x0414, 0x0419, 0x041E, 0x0421, 0x0426, 0x0428, 0x043A, 0x043B, 0x2710}
)
_RESOURCE_NAMES: Final = {
    0x0408: "guides",
    0x040A: "copyright flag",
    0x040B: "URL",
    0x041A: "slices",
    0x0BB7: "name of the clipping path",
}
_PATHS: Final = range(0x07D0, 0x0BB7)


def photoshop_resources(data: bytes) -> dict[int, bytes]:
    """Return the resources of Photoshop by number; `data` may begin with the head of a segment."""
    resources = {}
    position = len(_SEGMENT_HEAD) if data.startswith(_SEGMENT_HEAD) else 0
    while data[position : position + 4] == b"8BIM":
        number, name_length = struct.unpack_from(">HB", data, position + 4)
        position += 6 + (name_length + 2) // 2 * 2
        (length,) = struct.unpack_from(">I", data, position)
        position += 4
        resources[number] = data[position : position + length]
        position += (length + 1) // 2 * 2
    return resources


def lost_resources(resources: dict[int, bytes]) -> list[str]:
    """Name the resources that no output keeps."""
    names = []
    for number in resources:
        if number in _PATHS:
            names.append("clipping paths")
        elif number not in _SILENT:
            names.append(_RESOURCE_NAMES.get(number, f"0x{number:04X}"))
    return [f"Photoshop resources ({', '.join(dict.fromkeys(names))})"] if names else []


def jpeg_segment(records: bytes) -> bytes | None:
    """Return the records as a segment of a JPEG, or None if they are too long for one."""
    resource = b"8BIM" + struct.pack(">HHI", RESOURCE, 0, len(records)) + records
    content = _SEGMENT_HEAD + resource + bytes(len(records) % 2)
    if len(content) > _MAX_SEGMENT_BYTES:
        return None
    return b"\xff\xed" + struct.pack(">H", len(content) + 2) + content


def usable_records(records: bytes, lost: list[str]) -> bytes | None:
    """Return the records that say something about the content; others are added to `lost`.

    Records 3 to 9 describe the pixels of the file they came in.
    """
    kept = b""
    try:
        for (record, number), start, content, end in _walk(records):
            if record in {1, 2}:
                kept += records[start:end]
            else:
                lost.append(f"IPTC {record}:{number} ({len(content)} bytes)")
    except (IndexError, struct.error):
        lost.append("damaged end of the IPTC records")
    return kept or None


def add_as_xmp(xmp: Xmp, records: bytes) -> list[str]:
    """Add the records to a packet, where it does not say the same already; name those it cannot."""
    encoding = "utf-8" if _says_utf8(records) else "latin-1"
    by_number: dict[int, list[str]] = {}
    for (record, number), _, content, _ in _walk(records):
        if record == 2 and number != _VERSION:
            by_number.setdefault(number, []).append(content.decode(encoding, "replace"))
    if _DATE in by_number:
        by_number[_DATE] = [_as_date(by_number[_DATE][0], by_number.pop(_TIME, [""])[0])]
    lost = [f"IPTC 2:{number}" for number in by_number if number not in _AS_XMP]
    for number, values in by_number.items():
        name = _AS_XMP.get(number)
        if name is not None and not xmp.has(*name[1:]):
            xmp.add(name, values)
    return lost


def _says_utf8(records: bytes) -> bool:
    for name, _, content, _ in _walk(records):
        if name == _CHARACTER_SET:
            return content == _UTF8
    try:  # many write UTF-8 and do not say so
        records.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _walk(records: bytes) -> Iterator[tuple[tuple[int, int], int, bytes, int]]:
    """Walk the data sets: (record, number), where it begins, content, where it ends."""
    start = 0
    while start < len(records) and records[start] == _TAG_MARKER:
        record, number, length = struct.unpack_from(">BBH", records, start + 1)
        content = start + 5
        if length & 0x8000:  # the length of a length
            size = length & 0x7FFF
            length = int.from_bytes(records[content : content + size], "big")
            content += size
        end = content + length
        if end > len(records):
            raise IndexError(end)
        yield (record, number), start, records[content:end], end
        start = end


def _as_date(date: str, time: str) -> str:
    """Return 20240131 and 120000+0100 as XMP writes them."""
    day = f"{date[:4]}-{date[4:6]}-{date[6:8]}"
    if len(time) < 6:
        return day
    zone = f"{time[6:9]}:{time[9:11]}" if len(time) >= 11 else ""
    return f"{day}T{time[:2]}:{time[2:4]}:{time[4:6]}{zone}"
