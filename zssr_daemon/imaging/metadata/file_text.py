"""FileText: a text of EXIF or TIFF whose bytes are written as they were read.

Pillow reads each byte as a character, whatever the alphabet, and writes `?` for those beyond ASCII.
"""

from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image


class FileText(str):
    """A text in which each character stands for a byte of the file."""

    __slots__ = ()

    def encode(self, encoding: str = "latin-1", errors: str = "replace") -> bytes:  # noqa: ARG002
        """Return the bytes of the file, whatever encoding Pillow asks for."""
        return super().encode("latin-1", "replace")


def as_file_text(text: str) -> FileText:
    """Return a text of ours as a file holds it, in UTF-8."""
    return FileText(text.encode().decode("latin-1"))


def bytewise(tags: Mapping[int, Any]) -> dict[int, Any]:
    """Return tags, and those of directories among them, whose texts keep their bytes."""
    return {tag: _bytewise(value) for tag, value in tags.items()}


def serialised(exif: Image.Exif) -> bytes:
    """Return the EXIF as a file holds it."""
    for tag in list(exif):
        exif[tag] = _bytewise(exif[tag])
    details = exif.get_ifd(ExifTags.IFD.Exif)
    if details:
        exif[ExifTags.IFD.Exif] = bytewise(details)
    return exif.tobytes()


def _bytewise(value: Any) -> Any:
    if isinstance(value, Mapping):
        return bytewise(value)
    return FileText(value) if isinstance(value, str) else value
