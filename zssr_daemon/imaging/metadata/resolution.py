"""Resolution: pixels an inch, or without a unit, that a source states or a print asks for."""

import math
import re
from dataclasses import replace
from fractions import Fraction
from typing import Any, Final

from PIL import ExifTags, Image

from zssr_daemon.imaging.metadata.exif import loaded
from zssr_daemon.imaging.metadata.file_text import serialised
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata

# Pillow says this where a TIFF says nothing.
_NOTHING: Final = (1.0, 1.0)
_MAX_DPI: Final = 1e9  # of an electron microscope

# What the formats' own fields can say: least and most dots an inch. JPEG has whole numbers of 16
# bits, PNG dots a metre of 31.
_FIELDS: Final = {"JPEG": (1.0, 65_535.0), "PNG": (0.03, 5e7)}

# Of a TIFF and of EXIF.
_NO_UNIT, _INCH, _CENTIMETRE = 1, 2, 3
_CM_PER_INCH: Final = 2.54


def read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution if the file states a sane one: Pillow says 72 for a JPEG without."""
    if "exif" in image.info and image.format in {"JPEG", "MPO"} and not _states_dpi(image):
        return None
    dpi = _sane(image.info.get("dpi"))
    return None if dpi == _NOTHING else dpi


def has_field(format_name: str, dpi: tuple[float, float]) -> bool:
    """Tell whether a format's own field can state a resolution; the EXIF can state any."""
    least, most = _FIELDS.get(format_name, (0.0, _MAX_DPI))
    return all(least <= each <= most for each in dpi)


def read_aspect(image: Image.Image) -> tuple[float, float] | None:
    """Return the resolution of a file that gives it no unit.

    A microscope's program gives the unit in words; for others the two numbers say how far a
    pixel is from a square, and equal ones say nothing.
    """
    if image.format == "PNG":
        value = _sane(image.info.get("aspect"))
    elif image.format in {"JPEG", "MPO"} and image.info.get("jfif_unit") == 0:
        value = _sane(image.info.get("jfif_density"))
    elif image.format == "TIFF" and _unit(image) == _NO_UNIT:
        return _sane(image.info.get("resolution"))
    else:
        return None
    return value if value and value[0] != value[1] else None


def is_per_cm(image: Image.Image) -> bool:
    """Tell whether a TIFF counts its pixels by the centimetre, as its description may say too."""
    return image.format == "TIFF" and _unit(image) == _CENTIMETRE


def resolution_tags(
    dpi: tuple[float, float] | None,
    aspect: tuple[float, float] | None,
    *,
    is_per_cm: bool = False,
) -> dict[int, Any]:
    """Return the tags of EXIF and TIFF that state a resolution; none where there is none."""
    values, unit = dpi or aspect, _INCH if dpi else _NO_UNIT
    if values is None:
        return {}
    if dpi is not None and is_per_cm:
        values, unit = (dpi[0] / _CM_PER_INCH, dpi[1] / _CM_PER_INCH), _CENTIMETRE
    return {
        ExifTags.Base.XResolution: values[0],
        ExifTags.Base.YResolution: values[1],
        ExifTags.Base.ResolutionUnit: unit,
    }


def at_resolution(metadata: ImageMetadata, dpi: float) -> ImageMetadata:
    """Return `metadata` with another resolution, in EXIF and XMP too where these state one."""
    exif, xmp = metadata.exif, metadata.xmp
    if exif is not None:
        directory = loaded(exif)
        if ExifTags.Base.XResolution in directory:
            directory.update(resolution_tags((dpi, dpi), None))
        exif = serialised(directory)
    if xmp is not None:
        value = Fraction(dpi).limit_denominator(10_000)
        ratio = rf"\g<1>{value.numerator}/{value.denominator}"
        xmp = re.sub(r'(tiff:[XY]Resolution(?:="|>))[0-9/.]+', ratio, xmp)
        xmp = re.sub(r'(tiff:ResolutionUnit(?:="|>))[0-9]+', r"\g<1>2", xmp)
    told = replace(metadata, dpi=(dpi, dpi), aspect=None, is_per_cm=False, is_measured=False)
    return replace(told, exif=exif, xmp=xmp)


def _unit(image: Image.Image) -> object:
    try:
        return image.getexif().get(ExifTags.Base.ResolutionUnit)
    except Exception:  # noqa: BLE001 - damaged metadata never fails an image
        return None


def _sane(value: object) -> tuple[float, float] | None:
    try:
        horizontal, vertical = map(float, value)  # type: ignore[call-overload]
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not all(math.isfinite(n) and 0 < n <= _MAX_DPI for n in (horizontal, vertical)):
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
