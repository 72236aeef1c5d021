"""Text: what a PNG says in words, by keyword; a JPEG's comment is such a text too."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zssr_daemon.imaging.containers import png_chunks

#: The keyword under which a PNG holds its XMP.
XMP_KEYWORD: Final = "XML:com.adobe.xmp"

#: The keyword of a plain remark.
COMMENT: Final = "Comment"

# Before and after decompression; a longer text is lost, and named.
_MAX_TEXT_BYTES: Final = 4 << 20

_RAW_PROFILE: Final = "Raw profile type "
_HEX_LINE: Final = 72  # characters


@dataclass(frozen=True, slots=True)
class Text:
    """A text; `language` and `translated` (the keyword in that language) may be empty."""

    keyword: str
    text: str
    language: str = ""
    translated: str = ""


def read_png_texts(data: bytes, lost: list[str]) -> tuple[Text, ...]:
    """Return the texts of a PNG, profiles among them; what cannot be read is added to `lost`."""
    readers = {b"tEXt": _plain, b"zTXt": _packed, b"iTXt": _international}
    texts = []
    for part in png_chunks(data):
        if part.name in readers:
            try:
                texts.append(readers[part.name](data[part.start : part.end]))
            except (ValueError, IndexError, zlib.error):
                lost.append("damaged or overlong text")
    return tuple(text for text in texts if text.keyword != XMP_KEYWORD)


def raw_profile(texts: Iterable[Text], name: str) -> bytes | None:
    """Return the profile that ImageMagick and ExifTool write into a PNG as hexadecimal text."""
    for text in texts:
        if text.keyword == _RAW_PROFILE + name:
            try:
                return bytes.fromhex("".join(text.text.split("\n")[3:]))
            except ValueError:
                return None
    return None


def is_raw_profile(text: Text) -> bool:
    """Tell whether a text is no text, but a profile."""
    return text.keyword.startswith(_RAW_PROFILE)


def as_raw_profile(name: str, content: bytes) -> Text:
    """Write a profile as text: a line feed, its name, its length, and lines of hexadecimal."""
    digits = content.hex()
    lines = [digits[start : start + _HEX_LINE] for start in range(0, len(digits), _HEX_LINE)]
    body = "\n".join(["", name, f"{len(content):8d}", *lines, ""])
    return Text(_RAW_PROFILE + name, body)


def _plain(content: bytes) -> Text:
    keyword, text = content.split(b"\0", 1)
    return Text(keyword.decode("latin-1"), text.decode("latin-1"))


def _packed(content: bytes) -> Text:
    keyword, rest = content.split(b"\0", 1)
    return Text(keyword.decode("latin-1"), _inflate(rest[1:]).decode("latin-1"))


def _international(content: bytes) -> Text:
    keyword, rest = content.split(b"\0", 1)
    is_packed = rest[0] == 1
    language, translated, text = rest[2:].split(b"\0", 2)
    text = _inflate(text) if is_packed else text
    return Text(
        keyword.decode("latin-1"),
        text.decode("utf-8", "replace"),
        language.decode("latin-1"),
        translated.decode("utf-8", "replace"),
    )


def _inflate(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    content = stream.decompress(packed, _MAX_TEXT_BYTES)
    if stream.unconsumed_tail or not stream.eof:
        raise ValueError("overlong or incomplete")
    return content
