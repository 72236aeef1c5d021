"""JPEG XL: read by pillow-jxl (libjxl), after its header was read here.

That decoder decodes in full at once, of an animation the first frame, and says nothing of bits and
further channels; so what it would cut has to be known before.
"""

from typing import Any, Final

import numpy as np
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import boxes_tell_the_end, iso_boxes
from zssr_daemon.imaging.pillow import open_picture
from zssr_daemon.imaging.readers.jxl_header import JxlHeader, read_jxl_header
from zssr_daemon.imaging.readers.picture import Header, Picture, unsupported

#: The first bytes of a raw codestream.
CODESTREAM: Final = b"\xff\x0a"

# A larger picture takes libjxl longer than about a second.
_SLOW_PIXELS: Final = 16_000_000


def read_jpeg_xl(data: bytes, notes: list[str]) -> Header:
    """Read the header; `load` decodes. Raises ImageError where the decoder would cut something."""
    header = read_jxl_header(_codestream(data))
    _refuse_losses(header)
    if header.others:
        notes.append(f"{header.others} further channels left out")

    def load(_frame: int) -> Picture:
        return _decoded(data, header)

    return Header(
        width=header.width,
        height=header.height,
        channels=1 if header.is_grey else 3,
        has_alpha=header.has_alpha,
        bit_depth=16 if header.bits > 8 else 8,
        load=load,
        is_slow=header.width * header.height > _SLOW_PIXELS and _tells_its_end(data),
    )


def _refuse_losses(header: JxlHeader) -> None:
    if header.is_animated:
        message = "a JPEG XL animation: take it apart first"
        raise ImageError(message, reason=Reason.MULTI_FRAME)
    if header.is_float or header.bits > 16:
        raise unsupported("JPEG XL of float samples", Reason.UNSUPPORTED_DEPTH)
    if header.bits > 8 and (not header.is_grey or header.has_alpha):
        message = f"JPEG XL of {header.bits} bits a channel in several channels"
        raise unsupported(message, Reason.UNSUPPORTED_DEPTH)
    if header.has_black:
        raise unsupported("JPEG XL in CMYK")
    if header.is_premultiplied:
        raise unsupported("JPEG XL whose colours are multiplied by alpha")


def _codestream(data: bytes) -> bytes:
    """Return the beginning of the codestream, which a container may hold in several boxes."""
    if data.startswith(CODESTREAM):
        return data
    found = b""
    for box in iso_boxes(data):
        if box.name == b"jxlc":
            return data[box.start : box.end]
        if box.name == b"jxlp":  # begins with its number
            found += data[box.start + 4 : box.end]
    return found


def _tells_its_end(data: bytes) -> bool:
    """Tell whether a cut file would have been noticed without decoding."""
    return not data.startswith(CODESTREAM) and boxes_tell_the_end(data)


def _decoded(data: bytes, header: JxlHeader) -> Picture:
    from pillow_jxl import Decoder  # noqa: PLC0415 - only the confined child loads it

    is_jpeg, info, content, icc, boxes = Decoder(num_threads=0)(data)
    if is_jpeg:  # the file was a JPEG, and is one again: not yet upright
        image: Image.Image = open_picture(content, ["JPEG"])
        image.load()
        return Picture(image=image, is_upright=False)
    size = (info.width, info.height)
    if size != (header.width, header.height):
        raise ImageError(f"the header says {header.width} × {header.height}, found {size}")
    image = Image.frombytes(info.mode, size, content)
    image.info.update(_metadata(icc, boxes))
    if header.bits <= 8:
        return Picture(image=image)
    deep = np.frombuffer(content, np.uint16).reshape(info.height, info.width, 1)
    return Picture(image=image, deep=deep)


def _metadata(icc: bytes | None, boxes: Any) -> dict[str, bytes]:
    """Return profile, EXIF and XMP by Pillow's names."""
    found = {"icc_profile": icc} if icc else {}
    for box in boxes:
        if box.box_type == b"Exif":
            found.setdefault("exif", b"Exif\0\0" + _without_offset(box.data))
        if box.box_type == b"xml ":
            found.setdefault("xmp", box.data)
    return found


def _without_offset(exif: bytes) -> bytes:
    """Return a box of EXIF without the offset in front of it, which some writers leave out."""
    if exif[:4] in {b"II*\0", b"MM\0*"}:
        return exif
    return exif[4 + int.from_bytes(exif[:4], "big") :]
