"""TiffWriter: libvips writes the pixels, tile by tile, and Pillow the tags."""

import struct
from collections.abc import Callable
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from zssr_daemon.imaging.metadata.file_text import bytewise
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.resolution import resolution_tags
from zssr_daemon.imaging.vips import file_target, from_samples

_TILE_SIDE: Final = 256  # pixels
_MAX_CLASSIC_BYTES: Final = 4_000_000_000  # offsets have 32 bits

_POINTERS: Final = frozenset(ExifTags.IFD)

_XMP, _ICC = 700, 34675
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296


def write_tiff(
    samples: NDArray[np.generic],
    file: BinaryIO,
    *,
    metadata: ImageMetadata,
    exif: Image.Exif,
    on_write: Callable[[], None],
) -> None:
    """Write (H, W, C) samples of any real type, deflated, with the tags of `exif`.

    `file` is open for reading too, and empty.
    """

    def write(data: bytes) -> None:
        file.write(data)
        on_write()

    with file_target(file, write) as target:
        from_samples(samples).tiffsave_target(
            target,
            keep="none",
            compression="deflate",
            predictor="float" if samples.dtype.kind == "f" else "horizontal",
            tile=True,
            tile_width=_TILE_SIDE,
            tile_height=_TILE_SIDE,
            bigtiff=samples.nbytes > _MAX_CLASSIC_BYTES,
        )
    _add_tags(file, _tags(metadata, exif))


def _tags(metadata: ImageMetadata, exif: Image.Exif) -> dict[int, Any]:
    """Collect the tags of metadata, which join those that describe the pixels."""
    # Pointers of the old file lead nowhere in the new one.
    tags = {tag: value for tag, value in exif.items() if tag not in _POINTERS}
    if gps := exif.get_ifd(ExifTags.IFD.GPSInfo):
        tags[ExifTags.IFD.GPSInfo] = gps
    if details := dict(exif.get_ifd(ExifTags.IFD.Exif)):
        if ExifTags.IFD.Interop in details:
            details[ExifTags.IFD.Interop] = exif.get_ifd(ExifTags.IFD.Interop)
        tags[ExifTags.IFD.Exif] = details
    if metadata.icc is not None:
        tags[_ICC] = metadata.icc
    if metadata.xmp is not None:
        tags[_XMP] = metadata.xmp.encode()
    tags |= resolution_tags(metadata.dpi, metadata.aspect, is_per_cm=metadata.is_per_cm)
    return tags | metadata.tiff_tags | dict(metadata.sample_tags)


def _add_tags(file: BinaryIO, tags: dict[int, Any]) -> None:
    """Append a new directory to the file, and make the header point to it."""
    file.seek(0)
    header = file.read(16)
    is_big = header[2] == 43
    header = header if is_big else header[:8]
    written = TiffImagePlugin.ImageFileDirectory_v2(header)
    file.seek(written.next)
    written.load(file)
    directory = TiffImagePlugin.ImageFileDirectory_v2(header)
    for tag, value in {**written, **bytewise(tags)}.items():
        directory[tag] = value
    if _X_RESOLUTION not in tags:  # libvips has written one of its own
        for tag in (_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT):
            directory.pop(tag, None)
    end = file.seek(0, 2)
    start = file.seek(end + end % 2)
    file.write(directory.tobytes(start))
    file.seek(8 if is_big else 4)
    file.write(struct.pack("<Q" if is_big else "<I", start))
