"""PrintResolution: metadata that say the dots an inch of an ordered print."""

import re
from dataclasses import replace
from fractions import Fraction

from PIL import ExifTags, Image

from zssr_daemon.imaging.metadata import ImageMetadata


def at_resolution(metadata: ImageMetadata, dpi: float) -> ImageMetadata:
    """Return `metadata` with another resolution, in EXIF and XMP too where these state one."""
    exif, xmp = metadata.exif, metadata.xmp
    if exif is not None:
        directory = Image.Exif()
        directory.load(exif)
        if ExifTags.Base.XResolution in directory:
            directory[ExifTags.Base.XResolution] = directory[ExifTags.Base.YResolution] = dpi
            directory[ExifTags.Base.ResolutionUnit] = 2  # inch
        exif = directory.tobytes()
    if xmp is not None:
        value = Fraction(dpi).limit_denominator(10_000)
        told = rf"\g<1>{value.numerator}/{value.denominator}"
        xmp = re.sub(r'(tiff:[XY]Resolution(?:="|>))[0-9/.]+', told, xmp)
        xmp = re.sub(r'(tiff:ResolutionUnit(?:="|>))[0-9]+', r"\g<1>2", xmp)
    return replace(metadata, dpi=(dpi, dpi), exif=exif, xmp=xmp)
