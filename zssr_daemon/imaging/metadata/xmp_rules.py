"""Rules of XMP: what of a packet is turned, scaled or struck for an output."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from zssr_daemon.imaging.metadata.enlargement import Enlargement
from zssr_daemon.imaging.metadata.namespaces import (
    APPLE_GAIN_MAP,
    CAMERA,
    CONTAINER,
    CONTAINER_ITEM,
    DC,
    DCTERMS,
    DYNAMIC_DEPTH,
    EXIF,
    GAIN_MAP,
    PANORAMA,
    PHOTO_PARTS,
    PHOTOSHOP,
    RDF,
    TIFF,
    XIAOMI,
    XMP,
    XMP_NOTE,
)
from zssr_daemon.imaging.metadata.regions import enlarge_regions
from zssr_daemon.imaging.metadata.xmp import Xmp

# What a packet repeats of the way the file stored its pixels.
_STRUCTURE: Final = {
    TIFF: {
        "BitsPerSample",
        "Compression",
        "NativeDigest",
        "PhotometricInterpretation",
        "PlanarConfiguration",
        "SamplesPerPixel",
        "YCbCrPositioning",
        "YCbCrSubSampling",
    },
    EXIF: {"CompressedBitsPerPixel", "NativeDigest"},
    PHOTOSHOP: {"ColorMode", "ICCProfile"},
    XMP: {"Thumbnails", "PageInfo"},  # pictures of the old size
    XMP_NOTE: {"HasExtendedXMP"},
}

# What a packet says of parts of the file that the output lacks: these are named by who reads the
# file, so striking them needs no word.
_OF_LOST_PARTS: Final = frozenset({GAIN_MAP, APPLE_GAIN_MAP, CONTAINER, CONTAINER_ITEM, XIAOMI})
_MOTION: Final = ("MotionPhoto", "MicroVideo")
_MAKER_NOTES: Final = {EXIF: {"MakerNote"}, CAMERA: {"hdrp_makernote", "shot_log_data"}}

# Rational numbers as XMP writes them; an exponent could make them fill the memory.
_RATIONAL: Final = re.compile(r"\d{1,12}(/0*[1-9]\d{0,11}|\.\d{1,12})?")

_PANORAMA_X: Final = ("FullPanoWidthPixels", "CroppedAreaLeftPixels")
_PANORAMA_Y: Final = ("FullPanoHeightPixels", "CroppedAreaTopPixels")
_PANORAMA_INNER: Final = "LargestValidInteriorRect"


def enlarge_xmp(xmp: Xmp, way: Enlargement, mime: str) -> list[str]:
    """Make a packet true of the output, an image of kind `mime`; name what was struck."""
    xmp.strike(lambda space, name: name in _STRUCTURE.get(space, ()))
    lost = _strike_parts(xmp)
    _put_sizes(xmp, way, mime)
    lost += _put_subject(xmp, way)
    lost += enlarge_regions(xmp, way)
    return lost + _put_panorama(xmp, way)


def _strike_parts(xmp: Xmp) -> list[str]:
    """Strike what belongs to other parts of the file, or is one."""
    xmp.strike(lambda space, name: space in _OF_LOST_PARTS or name.startswith(_MOTION))
    lost = []
    if xmp.strike(lambda space, name: (space, name) == (DCTERMS, "provenance")):
        lost.append("content credentials (C2PA, no longer valid)")
    if xmp.strike(lambda space, name: name in _MAKER_NOTES.get(space, ())):
        lost.append("maker notes in the XMP")
    parts = dict(PHOTO_PARTS)
    for space, what in parts.items():
        if xmp.strike(lambda found, _, space=space: found == space):  # type: ignore[misc]
            lost.append(what)
    if xmp.strike(lambda space, _: space.startswith(DYNAMIC_DEPTH)):
        lost.append("depth map")
    return list(dict.fromkeys(lost))


def _put_sizes(xmp: Xmp, way: Enlargement, mime: str) -> None:
    """Rewrite width, height, orientation and kind of file, where the packet states them."""
    stated = {
        (TIFF, "ImageWidth"): str(way.width),
        (TIFF, "ImageLength"): str(way.height),
        (EXIF, "PixelXDimension"): str(way.width),
        (EXIF, "PixelYDimension"): str(way.height),
        (TIFF, "Orientation"): "1",
        (DC, "format"): mime,
    }
    for name, value in stated.items():
        xmp.put(*name, value)
    _swap(xmp, (TIFF, "XResolution"), (TIFF, "YResolution"), way, (1.0, 1.0))
    focal = (EXIF, "FocalPlaneXResolution"), (EXIF, "FocalPlaneYResolution")
    _swap(xmp, *focal, way, way.scale)


def _swap(
    xmp: Xmp,
    of_x: tuple[str, str],
    of_y: tuple[str, str],
    way: Enlargement,
    factors: tuple[float, float],
) -> None:
    """Rewrite numbers of pixels a unit, which change places when the picture is turned."""
    values = [xmp.get(*of_x), xmp.get(*of_y)]
    if way.grid.is_transposed:
        values.reverse()
    for name, value, factor in zip((of_x, of_y), values, factors, strict=True):
        if value is not None and _RATIONAL.fullmatch(value):
            number = Fraction(value) * Fraction(factor).limit_denominator(10**6)
            xmp.put(*name, f"{number.numerator}/{number.denominator}" if factor != 1 else value)


def _put_subject(xmp: Xmp, way: Enlargement) -> list[str]:
    """Rewrite the places of the subject, lists of whole numbers as in the EXIF."""
    for name in ("SubjectArea", "SubjectLocation"):
        for element in xmp.elements(EXIF, name):
            items = list(element.iter(f"{{{RDF}}}li"))
            try:
                numbers = enlarged_subject([int(item.text or "") for item in items], way)
            except (ValueError, OverflowError):
                xmp.strike(lambda space, local, name=name: (space, local) == (EXIF, name))  # type: ignore[misc]
                return [f"damaged {name} in the XMP"]
            for item, number in zip(items, numbers, strict=True):
                item.text = str(number)
            xmp.is_changed = True
    return []


def enlarged_subject(numbers: list[int], way: Enlargement) -> list[int]:
    """Return a subject's middle (x, y), and its diameter or its width and height, for the output.

    Raises ValueError for another count of numbers.
    """
    if len(numbers) not in {2, 3, 4}:
        raise ValueError(numbers)
    x, y, *size = numbers
    middle = list(way.pixel(x, y))
    if len(size) == 1:
        return [*middle, round(size[0] * way.scale[0])]
    if size:
        size = [round(length) for length in way.lengths(*size)]
    return middle + size


def _put_panorama(xmp: Xmp, way: Enlargement) -> list[str]:
    """Scale the sizes of a panorama; of a turned picture none is kept."""

    def is_panorama(space: str, _: str) -> bool:
        return space == PANORAMA

    names = {"CroppedAreaImageWidthPixels": way.width, "CroppedAreaImageHeightPixels": way.height}
    if not any(_has(xmp, name) for name in (*names, *_PANORAMA_X, *_PANORAMA_Y)):
        return []
    if not way.is_upright():
        xmp.strike(is_panorama)
        return ["panorama of a turned picture"]
    inner_x = [f"{_PANORAMA_INNER}{side}" for side in ("Left", "Width")]
    inner_y = [f"{_PANORAMA_INNER}{side}" for side in ("Top", "Height")]
    try:
        for group, factor in (((*_PANORAMA_X, *inner_x), 0), ((*_PANORAMA_Y, *inner_y), 1)):
            for name in group:
                _put_number(xmp, name, lambda pixels, axis=factor: pixels * way.scale[axis])  # type: ignore[misc]
    except (ValueError, OverflowError):
        xmp.strike(is_panorama)
        return ["damaged panorama"]
    for name, side in names.items():
        _put_number(xmp, name, lambda _, side=side: side)  # type: ignore[misc]
    return []


def _has(xmp: Xmp, name: str) -> bool:
    return xmp.has(PANORAMA, name)


def _put_number(xmp: Xmp, name: str, change: Callable[[float], float]) -> None:
    value = xmp.get(PANORAMA, name)
    if value is not None:
        xmp.put(PANORAMA, name, str(round(change(float(value)))))
