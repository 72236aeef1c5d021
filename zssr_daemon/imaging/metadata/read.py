"""Reading: what comes with the pixels is collected from a source; damage costs only itself."""

from dataclasses import replace
from typing import Final

from PIL import ExifTags, Image, TiffImagePlugin

from zssr_daemon.imaging.metadata import colour_tags, iptc, jpeg_parts, other_parts, png_text
from zssr_daemon.imaging.metadata.enlargement import Grid
from zssr_daemon.imaging.metadata.exif import read_exif
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.microscope import is_calibrated
from zssr_daemon.imaging.metadata.png_text import Text
from zssr_daemon.imaging.metadata.resolution import is_per_cm, read_aspect, read_dpi

_IPTC_TAG, _PHOTOSHOP_TAG = 33723, 34377


def drop_odd_xmp(image: Image.Image) -> None:
    """Remove an XMP packet that is not bytes, before the image is loaded.

    Pillow searches a TIFF's packet for the orientation when it loads, and fails on other types.
    """
    if not isinstance(image.info.get("xmp"), bytes):
        image.info.pop("xmp", None)


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, still to be applied to a loaded image's pixels."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged metadata never fails an image
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def is_measured(image: Image.Image) -> bool:
    """Tell whether the first page of a file says that its resolution measures what is shown.

    It says so for all pages, so it is asked before another one is sought.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    description = image.tag_v2.get(ExifTags.Base.ImageDescription)
    return isinstance(description, str) and is_calibrated(description)


def read_metadata(image: Image.Image, notes: list[str]) -> ImageMetadata:
    """Collect a loaded image's EXIF, resolution, XMP and IPTC; damage is dropped and noted.

    The colour profile is not among them: it is read by `colour`. The rest is read from the file
    itself, by `with_parts`.
    """
    lost: list[str] = []
    records, dpi, aspect = _tiff_records(image, lost), read_dpi(image), read_aspect(image)
    by_cm = is_per_cm(image)
    return ImageMetadata(
        exif=read_exif(image, notes, lost),  # the last: it takes tags out of Pillow's EXIF
        dpi=dpi,
        aspect=aspect,
        is_per_cm=by_cm,
        xmp=_read_xmp(image),
        iptc=records,
        lost_metadata=tuple(lost),
    )


def with_parts(metadata: ImageMetadata, data: bytes, format_name: str, grid: Grid) -> ImageMetadata:
    """Return the metadata with what is read from the parts of the file in `data`."""
    dpi, aspect = metadata.dpi, metadata.aspect
    if grid.is_transposed:
        dpi, aspect = dpi and dpi[::-1], aspect and aspect[::-1]
    metadata = replace(metadata, grid=grid, dpi=dpi, aspect=aspect)
    add = _ADDERS.get(format_name)
    if add is None:
        return metadata
    try:
        return add(metadata, data)
    except Exception as error:  # noqa: BLE001 - damaged metadata never fails an image
        lost = f"damaged parts of the {format_name} ({error!r})"
        return replace(metadata, lost_metadata=(*metadata.lost_metadata, lost))


def _add_jpeg(metadata: ImageMetadata, data: bytes) -> ImageMetadata:
    parts = jpeg_parts.read_jpeg_parts(data)
    lost = [*metadata.lost_metadata, *parts.lost]
    return replace(
        metadata,
        texts=tuple(Text(png_text.COMMENT, comment) for comment in parts.comments if comment),
        iptc=iptc.usable_records(parts.iptc, lost) if parts.iptc else None,
        extended_xmp=parts.extended_xmp,
        lost_metadata=tuple(lost),
        lost_parts=tuple(parts.lost_parts),
    )


def _add_png(metadata: ImageMetadata, data: bytes) -> ImageMetadata:
    lost = list(metadata.lost_metadata)
    texts = png_text.read_png_texts(data, lost)
    records = png_text.raw_profile(texts, "iptc")
    if records is not None and records.startswith(b"8BIM"):
        resources = iptc.photoshop_resources(records)
        records = resources.get(iptc.RESOURCE)
        lost += iptc.lost_resources(resources)
    if records is not None:
        records = iptc.usable_records(records, lost)
    lost += _lost_profiles(texts)
    return replace(
        metadata,
        png_colour=_png_colour(metadata, data),
        texts=tuple(text for text in texts if not png_text.is_raw_profile(text)),
        iptc=records,
        lost_metadata=(*lost, *other_parts.lost_of_png(data)),
    )


def _png_colour(metadata: ImageMetadata, data: bytes) -> colour_tags.ColourTags:
    """Return the colour chunks; beside a profile those alone that say more than it."""
    tags = colour_tags.read_png_colour(data)
    if metadata.icc is None:
        return tags
    return tuple(tag for tag in tags if tag[0] in {b"cICP", b"mDCV", b"cLLI"})


def _lost_profiles(texts: tuple[Text, ...]) -> list[str]:
    """Name the profiles written as text that nothing else reads; EXIF is read by Pillow."""
    known = {"iptc", "exif"}
    names = [text.keyword.rpartition(" ")[2] for text in texts if png_text.is_raw_profile(text)]
    return [f"profile {name} written as text" for name in names if name not in known]


def _add_webp(metadata: ImageMetadata, data: bytes) -> ImageMetadata:
    lost = (*metadata.lost_metadata, *other_parts.lost_of_webp(data))
    return replace(metadata, lost_metadata=lost)


def _add_bmp(metadata: ImageMetadata, data: bytes) -> ImageMetadata:
    return replace(metadata, lost_parts=(*metadata.lost_parts, *other_parts.lost_of_bmp(data)))


def _add_iso(metadata: ImageMetadata, data: bytes) -> ImageMetadata:
    tags = () if metadata.icc is not None else colour_tags.read_iso_colour(data)
    lost = (*metadata.lost_parts, *other_parts.lost_of_iso(data))
    return replace(metadata, png_colour=tags, lost_parts=lost)


def _tiff_records(image: Image.Image, lost: list[str]) -> bytes | None:
    """Return the IPTC records of a TIFF, which stand in a tag or in Photoshop's resources.

    Their bytes are taken as they lie in the file, since some programs call them numbers.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return None
    tags = image.tag_v2._tagdata  # as Pillow's own reader of IPTC does
    records, resources = tags.get(_IPTC_TAG), tags.get(_PHOTOSHOP_TAG)
    try:
        if resources:
            found = iptc.photoshop_resources(resources)
            records = records or found.get(iptc.RESOURCE)
            lost += iptc.lost_resources(found)
        return iptc.usable_records(records, lost) if records else None
    except Exception as error:  # noqa: BLE001 - damaged metadata never fails an image
        lost.append(f"damaged IPTC ({error!r})")
        return None


def _read_xmp(image: Image.Image) -> str | None:
    """Return the XMP packet as text."""
    packet = image.info.get("xmp")
    if not isinstance(packet, bytes):
        return None
    return packet.decode("utf-8", "replace").strip("\0") or None


# What reads the parts of a file, by Pillow's name of its format.
_ADDERS: Final = {
    "JPEG": _add_jpeg,
    "PNG": _add_png,
    "WEBP": _add_webp,
    "AVIF": _add_iso,
    "HEIF": _add_iso,
    "BMP": _add_bmp,
}
