"""ImageMetadata: what comes with the pixels from source to output."""

import math
import re
from dataclasses import dataclass
from typing import Final

from PIL import ExifTags, Image

from zssr_daemon.imaging.containers import png_chunks

_EXIF_POINTER: Final = ExifTags.IFD.Exif
_ORIENTATION: Final = ExifTags.Base.Orientation

# A TIFF keeps its structure and its picture's EXIF in one directory; these belong to the former,
# or are carried by other means (resolution, XMP, ICC).
_TIFF_STRUCTURE: Final = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 280, 281, 282, 283}
    | {284, 288, 289, 290, 291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324}
    | {325, 330, 332, 333, 334, 336, 338, 339, 340, 341, 342, 347, 529, 530, 531, 532, 700}
    | {33723, 34377, 34675, *range(512, 522)}
)

# Chunks of a PNG, and their length in bytes.
_COLOUR_CHUNKS: Final = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1}

# Longer than any honest packet; a longer one would make the output unreadable.
_MAX_XMP_CHARS: Final = 16 << 20

# Pillow says 1 where a TIFF says nothing.
_MIN_DPI: Final = 1.0
_MAX_DPI: Final = 100_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetadata:
    """Profile, EXIF, resolution and XMP of an image, ready to be written.

    The EXIF has Orientation 1 and no thumbnail; the XMP's orientation is 1 too.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None  # horizontal, vertical; dots per inch
    xmp: str | None = None
    # Chunks of a PNG that say what its numbers mean where no profile does: name, content.
    png_colour: tuple[tuple[bytes, bytes], ...] = ()

    def only_colour(self) -> "ImageMetadata":
        """Return what says how the colours look, without EXIF, resolution and XMP."""
        return ImageMetadata(icc=self.icc, png_colour=self.png_colour)


def drop_odd_xmp(image: Image.Image) -> None:
    """Remove an XMP packet that is not bytes, before the image is loaded.

    Pillow searches a TIFF's packet for the orientation when it loads, and fails on other types.
    """
    if not isinstance(image.info.get("xmp"), bytes):
        image.info.pop("xmp", None)


def read_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8, still to be applied to a loaded image's pixels."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - damaged metadata never fails an image
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def read_metadata(image: Image.Image, notes: list[str]) -> ImageMetadata:
    """Collect a loaded image's EXIF, resolution and XMP; what is damaged is dropped and noted.

    The colour profile is not among them: it is read by `colour`.
    """
    return ImageMetadata(exif=_read_exif(image, notes), dpi=_read_dpi(image), xmp=_read_xmp(image))


def read_png_colour(data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the chunks of a PNG that say what its numbers mean, those of the right length."""
    return tuple(
        (part.name, data[part.start : part.end])
        for part in png_chunks(data)
        if _COLOUR_CHUNKS.get(part.name) == part.end - part.start
    )


def resized_exif(exif: bytes, width: int, height: int) -> bytes:
    """Return `exif` with the pixel dimensions rewritten wherever it states them."""
    directory = Image.Exif()
    directory.load(exif)
    _put_size(directory, width, height)
    return directory.tobytes()


def _read_exif(image: Image.Image, notes: list[str]) -> bytes | None:
    """Serialise the EXIF again, which leaves the thumbnail out."""
    try:
        exif = image.getexif()
        if image.format == "TIFF":
            for tag in _TIFF_STRUCTURE.intersection(exif):
                del exif[tag]
        exif.pop(_ORIENTATION, None)
        if not exif:
            return None
        exif[_ORIENTATION] = 1
        # Written and read once, so that nothing can go wrong when the output is written.
        return resized_exif(exif.tobytes(), *image.size)
    except Exception as error:  # noqa: BLE001 - damaged metadata never fails an image
        notes.append(f"damaged EXIF dropped ({error})")
        return None


def _put_size(exif: Image.Exif, width: int, height: int) -> None:
    """Rewrite the size in the main directory and in the EXIF one, where it stands there."""
    details = exif.get_ifd(_EXIF_POINTER)
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
        exif[_EXIF_POINTER] = details


def _read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution if the file states a sane one: Pillow says 72 for a JPEG without."""
    if "exif" in image.info and image.format in {"JPEG", "MPO"} and not _states_dpi(image):
        return None
    try:
        horizontal, vertical = map(float, image.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return None
    if not all(math.isfinite(dpi) and _MIN_DPI < dpi <= _MAX_DPI for dpi in (horizontal, vertical)):
        return None
    return horizontal, vertical


def _states_dpi(image: Image.Image) -> bool:
    """Tell whether a JPEG's header or its EXIF holds a resolution."""
    if image.info.get("jfif_unit") in {1, 2}:
        return True
    try:
        return ExifTags.Base.XResolution in image.getexif()
    except Exception:  # noqa: BLE001 - damaged metadata never fails an image
        return False


def _read_xmp(image: Image.Image) -> str | None:
    """Return the XMP packet as text, with its orientation set to upright."""
    packet = image.info.get("xmp")
    if not isinstance(packet, bytes):
        return None
    text = packet.decode("utf-8", "replace").strip("\0")
    if not text or len(text) > _MAX_XMP_CHARS:
        return None
    return re.sub(r'(tiff:Orientation(?:="|>))[0-9]+', r"\g<1>1", text)
