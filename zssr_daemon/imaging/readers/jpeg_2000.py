"""JPEG 2000: read by Pillow (OpenJPEG), where that keeps every bit and every channel."""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import Part, iso_boxes
from zssr_daemon.imaging.pillow import open_picture
from zssr_daemon.imaging.readers.picture import Header, Picture, stretched, unsupported

#: The first four bytes of a raw codestream: its start and its size marker.
CODESTREAM: Final = b"\xff\x4f\xff\x51"

# Colour spaces by number: bilevel (two of them), CMYK, sRGB, grey and sYCC. Pillow takes all others
# for RGB.
_SPACES: Final = frozenset({0, 12, 15, 16, 17, 18})

# Boxes of UUID: the metadata behind each.
_UUIDS: Final = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
}

# A larger picture takes OpenJPEG longer than about a second.
_SLOW_PIXELS: Final = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What boxes and codestream say of the picture."""

    width: int
    height: int
    bits: tuple[int, ...]  # of each component
    has_palette: bool
    info: dict[str, bytes]  # profile and metadata, by Pillow's names


def read_jpeg_2000(data: bytes, notes: list[str]) -> Header:
    """Read the header; `load` decodes. The end of the file is not looked at.

    Raises ImageError where Pillow would cut bits, or take a channel for what it is not.
    """
    content = _content(data, notes)
    bits = content.bits[0]
    image = open_picture(data, ["JPEG2000"])
    image.info.update(content.info)

    def load(_frame: int) -> Picture:
        image.load()
        if bits > 8:
            # Pillow shifts levels to the left.
            levels = np.atleast_3d(np.asarray(image)) >> (16 - bits)
            deep = stretched(levels, (1 << bits) - 1, 16).astype(np.uint16)
            return Picture(image=image, deep=deep)
        if bits < 8 and not content.has_palette:
            return Picture(image=_stretched_image(image, bits))
        return Picture(image=image)

    return Header(
        width=content.width,
        height=content.height,
        channels=1 if image.mode in {"L", "LA", "I;16"} else 3,
        has_alpha=image.mode in {"LA", "RGBA", "PA"},
        bit_depth=16 if bits > 8 else 8,
        load=load,
        is_slow=content.width * content.height > _SLOW_PIXELS,
    )


def _stretched_image(image: Image.Image, bits: int) -> Image.Image:
    levels = np.asarray(image) >> (8 - bits)
    result = Image.fromarray(stretched(levels, (1 << bits) - 1, 8), image.mode)
    result.info = image.info
    return result


def _content(data: bytes, notes: list[str]) -> _Content:
    if data.startswith(CODESTREAM):
        return _components(data, 0, {}, None, has_palette=False)
    boxes = list(iso_boxes(data))
    header = [box for box in boxes if box.name == b"jp2h"]
    streams = [box for box in boxes if box.name == b"jp2c"]
    if not header or not streams:
        raise ImageError("no picture in the file", reason=Reason.CORRUPT)
    if len(streams) > 1:
        notes.append(f"picture 0 of {len(streams)} taken")
    parts = list(iso_boxes(data, header[0].start, header[0].end))
    info = _metadata(data, boxes) | _profile(data, parts)
    alpha = _alpha_channel(data, parts)
    has_palette = any(part.name == b"pclr" for part in parts)
    return _components(data, streams[0].start, info, alpha, has_palette=has_palette)


def _components(
    data: bytes,
    start: int,
    info: dict[str, bytes],
    alpha: int | None,
    *,
    has_palette: bool,
) -> _Content:
    """Read the size marker of the codestream at `start`, and refuse what would be cut."""
    x_end, y_end, x, y = struct.unpack_from(">4I", data, start + 8)
    (count,) = struct.unpack_from(">H", data, start + 40)
    depths = struct.unpack_from(">" + count * "Bxx", data, start + 42)
    bits = tuple((depth & 0x7F) + 1 for depth in depths)
    if any(depth & 0x80 for depth in depths):
        raise unsupported("signed samples", Reason.UNSUPPORTED_DEPTH)
    if max(bits) > 16 or (max(bits) > 8 and (count > 1 or has_palette)) or len(set(bits)) > 1:
        raise unsupported(f"JPEG 2000 of {bits} bits a channel", Reason.UNSUPPORTED_DEPTH)
    is_cmyk = info.pop("space", b"") == b"CMYK"
    has_extra = count in {2, 4} and not is_cmyk and alpha != count - 1
    if count > 4 or has_extra:
        raise unsupported(
            f"JPEG 2000 of {count} channels, one of which is neither colour nor alpha"
        )
    return _Content(
        width=x_end - x, height=y_end - y, bits=bits, has_palette=has_palette, info=info
    )


def _profile(data: bytes, parts: list[Part]) -> dict[str, bytes]:
    """Return the profile; refuse a colour space that Pillow would take for RGB."""
    for part in parts:
        if part.name != b"colr":
            continue
        method = data[part.start]
        if method in {2, 3}:
            return {"icc_profile": data[part.start + 3 : part.end]}
        (space,) = struct.unpack_from(">I", data, part.start + 3)
        if method != 1 or space not in _SPACES:
            raise unsupported(f"JPEG 2000 in the colour space {space}")
        return {"space": b"CMYK"} if space == 12 else {}
    return {}


def _alpha_channel(data: bytes, parts: list[Part]) -> int | None:
    """Return the number of the channel that is alpha, as the channel definition says."""
    for part in parts:
        if part.name == b"cdef":
            (count,) = struct.unpack_from(">H", data, part.start)
            for entry in range(count):
                channel, kind = struct.unpack_from(">HH", data, part.start + 2 + 6 * entry)
                if kind == 2:
                    raise unsupported("JPEG 2000 whose colours are multiplied by alpha")
                if kind == 1:
                    return int(channel)
    return None


def _metadata(data: bytes, boxes: list[Part]) -> dict[str, bytes]:
    """Return XMP and EXIF from boxes of their own."""
    found = {}
    for box in boxes:
        name = _UUIDS.get(data[box.start : box.start + 16]) if box.name == b"uuid" else None
        if name is not None:
            found[name] = data[box.start + 16 : box.end]
    if "exif" in found:
        found["exif"] = b"Exif\0\0" + found["exif"]
    return found
