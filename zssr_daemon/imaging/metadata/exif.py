"""EXIF: read without thumbnail, and made true of an output."""

import math
from collections.abc import Mapping
from typing import Any, Final

from PIL import ExifTags, Image

from zssr_daemon.imaging.metadata import geo
from zssr_daemon.imaging.metadata.enlargement import Enlargement
from zssr_daemon.imaging.metadata.file_text import serialised
from zssr_daemon.imaging.metadata.microscope import enlarged_description
from zssr_daemon.imaging.metadata.xmp_rules import enlarged_subject

_DETAILS: Final = ExifTags.IFD.Exif
_INTEROP: Final = ExifTags.IFD.Interop
_ORIENTATION: Final = ExifTags.Base.Orientation
_DESCRIPTION: Final = ExifTags.Base.ImageDescription
_MAKER_NOTE: Final = ExifTags.Base.MakerNote
_USER_COMMENT: Final = ExifTags.Base.UserComment

# A TIFF keeps its structure and its picture's EXIF in one directory; these belong to the former,
# or are carried by other means (resolution, XMP, ICC, IPTC, nodata).
_TIFF_STRUCTURE: Final = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 282, 283}
    | {284, 288, 289, 290, 291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324}
    | {325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 529, 530, 531, 532, 700}
    | {33723, 34377, 34675, 42113, *range(512, 522)}
)

# From here on tags are private: known to those who registered them. Of these the standard of EXIF
# has some, and a few more name the camera or its prints.
_FIRST_PRIVATE: Final = 32768
_STANDARD: Final = range(0x8298, 0xA600)
_OF_THE_CAMERA: Final = frozenset({50341, 50708, 50735, 50736})
_GDAL_NODATA: Final = 42113  # a value of the samples

_CREDENTIALS: Final = 0xCD41  # C2PA's store

# Sizes of the related picture, and how densely the source was packed.
_OF_THE_SOURCE: Final = (ExifTags.Base.CompressedBitsPerPixel,)
_RELATED_SIZES: Final = (0x1001, 0x1002)

_SUBJECT: Final = {0x9214: "SubjectArea", 0xA214: "SubjectLocation"}

# What a comment begins with.
_ASCII, _UNICODE = b"ASCII\0\0\0", b"UNICODE\0"


def read_exif(image: Image.Image, notes: list[str], lost: list[str]) -> bytes | None:
    """Serialise the EXIF again, which leaves the thumbnail out; what is left out besides is lost.

    Damage is told in `notes`.
    """
    try:
        exif = image.getexif()
        if image.format == "TIFF":
            for tag in _TIFF_STRUCTURE.intersection(exif):
                del exif[tag]
        lost += _drop_private(exif)
        exif.pop(_ORIENTATION, None)
        if not exif:
            return None
        exif[_ORIENTATION] = 1
        # Written and read once, so that nothing can go wrong when the output is written.
        return _enlarged_again(serialised(exif), lost)
    except Exception as error:  # noqa: BLE001 - damaged metadata never fails an image
        notes.append(f"damaged EXIF dropped ({error})")
        lost.append("damaged EXIF")
        return None


def loaded(exif: bytes | None) -> Image.Exif:
    """Return serialised EXIF, or none, as Pillow's directory."""
    directory = Image.Exif()
    if exif is not None:
        directory.load(exif)
    return directory


def enlarged_exif(
    exif: bytes, way: Enlargement, pages: int, lost: list[str]
) -> tuple[bytes, dict[int, Any]]:
    """Return the EXIF true of the output, and the georeference that stood among it.

    What cannot be kept is added to `lost`.
    """
    directory = loaded(exif)
    placed = _take_georeference(directory, way, lost)
    _put_size(directory, way.width, way.height)
    _put_description(directory, way, pages, lost)
    details = directory.get_ifd(_DETAILS)
    if details:
        _put_subject(details, way, lost)
        _put_focal_plane(details, way)
        directory[_DETAILS] = details
    return serialised(directory), placed


def user_comment(exif: Image.Exif) -> bytes | None:
    """Return the comment of the EXIF as it stands there."""
    value = exif.get_ifd(_DETAILS).get(_USER_COMMENT)
    if isinstance(value, str):
        value = value.encode()
    return value if isinstance(value, bytes) and value[8:].strip(b"\0 ") else None


def put_user_comment(exif: bytes | None, text: str) -> bytes:
    """Return the EXIF with a comment."""
    directory = loaded(exif)
    details = dict(directory.get_ifd(_DETAILS))
    if text.isascii():
        details[_USER_COMMENT] = _ASCII + text.encode()
    else:  # in the order of bytes that the directory is written in
        order = "utf-16-le" if directory.endian == "<" else "utf-16-be"
        details[_USER_COMMENT] = _UNICODE + text.encode(order, "replace")
    directory[_DETAILS] = details
    return serialised(directory)


def _enlarged_again(exif: bytes, lost: list[str]) -> bytes:
    """Write and read once more, without what describes the source's file."""
    directory = loaded(exif)
    details = directory.get_ifd(_DETAILS)
    if details:
        if details.pop(_MAKER_NOTE, None) is not None:
            lost.append("maker notes of the EXIF (valid in their old place only)")
        for tag in _OF_THE_SOURCE:
            details.pop(tag, None)
        interop = directory.get_ifd(_INTEROP)
        if interop and _INTEROP in details:
            details[_INTEROP] = {
                tag: value for tag, value in interop.items() if tag not in _RELATED_SIZES
            }
        directory[_DETAILS] = details
    return serialised(directory)


def _drop_private(exif: Image.Exif) -> list[str]:
    """Remove private tags: nobody can tell whether they state sizes or places."""
    known = _OF_THE_CAMERA | geo.TAGS | {*ExifTags.IFD, _GDAL_NODATA}
    known |= {tag for tag in ExifTags.TAGS if tag in _STANDARD}
    private = [tag for tag in exif if tag >= _FIRST_PRIVATE and tag not in known]
    for tag in private:
        del exif[tag]
    lost = []
    if _CREDENTIALS in private:
        private.remove(_CREDENTIALS)
        lost.append("content credentials (C2PA, no longer valid)")
    if private:
        lost.append(f"private tags ({', '.join(map(str, sorted(private)))})")
    return lost


def _take_georeference(directory: Image.Exif, way: Enlargement, lost: list[str]) -> dict[int, Any]:
    """Take the tags of a GeoTIFF out of the EXIF, and return them for the output."""
    tags: Mapping[int, Any] = {tag: directory.pop(tag) for tag in geo.TAGS if tag in directory}
    if not tags:
        return {}
    try:
        return geo.enlarged_georeference(tags, way, lost)
    except (ValueError, IndexError, TypeError, ArithmeticError):
        lost.append("damaged georeference")
        return {}


def _put_size(exif: Image.Exif, width: int, height: int) -> None:
    """Rewrite the size in the main directory and in the EXIF one, where it stands there."""
    details = exif.get_ifd(_DETAILS)
    sizes = (
        (exif, ExifTags.Base.ImageWidth, width),
        (exif, ExifTags.Base.ImageLength, height),
        (details, ExifTags.Base.ExifImageWidth, width),
        (details, ExifTags.Base.ExifImageHeight, height),
    )
    for directory, tag, value in sizes:
        if tag in directory:
            directory[tag] = value
    if details:
        exif[_DETAILS] = details


def _put_description(exif: Image.Exif, way: Enlargement, pages: int, lost: list[str]) -> None:
    description = exif.get(_DESCRIPTION)
    if isinstance(description, str):
        changed = enlarged_description(description, way, pages, lost)
        if changed is None:
            del exif[_DESCRIPTION]
        else:
            exif[_DESCRIPTION] = changed


def _put_subject(details: dict[int, Any], way: Enlargement, lost: list[str]) -> None:
    for tag, name in _SUBJECT.items():
        if tag in details:
            try:
                details[tag] = tuple(enlarged_subject([int(n) for n in details[tag]], way))
            except (ValueError, TypeError):
                del details[tag]
                lost.append(f"damaged {name} of the EXIF")


def _put_focal_plane(details: dict[int, Any], way: Enlargement) -> None:
    """Scale the pixels a unit on the sensor, on which the same picture now has more of them."""
    tags = [ExifTags.Base.FocalPlaneXResolution, ExifTags.Base.FocalPlaneYResolution]
    values = [details.pop(tag, None) for tag in tags]
    if way.grid.is_transposed:
        values.reverse()
    for tag, value, factor in zip(tags, values, way.scale, strict=True):
        if value is not None:
            number = float(value) * factor
            if math.isfinite(number):
                details[tag] = number
