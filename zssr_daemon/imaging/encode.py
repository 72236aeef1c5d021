"""Encoding: samples become a PNG, TIFF, JPEG or WebP with their metadata."""

from collections.abc import Callable, Mapping
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from zssr_daemon.imaging.colour import grey_to_srgb
from zssr_daemon.imaging.metadata.exif import loaded
from zssr_daemon.imaging.metadata.file_text import serialised
from zssr_daemon.imaging.metadata.fit import fit
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.iptc import jpeg_segment
from zssr_daemon.imaging.metadata.jpeg_parts import xmp_in_pieces
from zssr_daemon.imaging.metadata.resolution import resolution_tags
from zssr_daemon.imaging.output_format import OutputFormat
from zssr_daemon.imaging.png_writer import write_png
from zssr_daemon.imaging.tiff_writer import write_tiff

# What one segment of a JPEG holds besides its own head.
_MAX_JPEG_XMP_BYTES: Final = 65_504
_MAX_JPEG_EXIF_BYTES: Final = 65_527
_MAX_JPEG_COMMENT_BYTES: Final = 65_533

_SOFTWARE: Final = ExifTags.Base.Software


def encode(
    samples: NDArray[np.generic],
    fd: int,
    *,
    output: OutputFormat,
    quality: int,
    metadata: ImageMetadata,
    comments: Mapping[str, str],
    on_write: Callable[[], None],
) -> list[str]:
    """Write a picture to the empty file behind `fd`, open for reading too; no fsync, no close.

    `samples` is (H, W, C) uint8, or another type where `output` can hold it: C = 1 or 3, and one
    more with alpha; in a TIFF any number, as `metadata.sample_tags` say. `quality` is JPEG's, 1 to
    100. `comments` become PNG text (keyword → text), in other formats the tag Software. `on_write`
    is called as PNG and TIFF grow; what it raises ends the call and passes on.

    Returns notes about what could not be kept. Raises OSError where the disk fails.
    """
    metadata, notes = fit(metadata, output, samples.shape)
    with open(fd, "r+b", closefd=False) as file:
        if output.name == "PNG":
            write_png(samples, file, metadata=metadata, comments=comments, on_write=on_write)
        else:
            exif = _signed_exif(metadata.exif, comments)
            if output.name == "TIFF":
                write_tiff(samples, file, metadata=metadata, exif=exif, on_write=on_write)
            elif output.name == "JPEG":
                notes += _write_jpeg(samples, file, metadata, exif, quality)
            else:
                _write_webp(samples, file, metadata, exif)
    return notes


def _signed_exif(exif: bytes | None, comments: Mapping[str, str]) -> Image.Exif:
    """Return the EXIF with the comments behind the name of the software before us."""
    signed = loaded(exif)
    ours = " ".join(comments.values())
    before = signed.get(_SOFTWARE)
    signed[_SOFTWARE] = f"{before}; {ours}" if isinstance(before, str) else ours
    return signed


def _write_jpeg(
    samples: NDArray[np.generic],
    file: BinaryIO,
    metadata: ImageMetadata,
    exif: Image.Exif,
    quality: int,
) -> list[str]:
    """Write with full colour resolution; what is too long for a segment is left out and told."""
    options: dict[str, object] = {"exif": serialised(exif)}
    notes, extra = [], b""
    if len(serialised(exif)) > _MAX_JPEG_EXIF_BYTES:
        notes.append("EXIF dropped: too long for a JPEG")
        options["exif"] = serialised(_signed_exif(None, {"": str(exif[_SOFTWARE])}))
    if metadata.xmp is not None:
        xmp = metadata.xmp.encode()
        if len(xmp) > _MAX_JPEG_XMP_BYTES:
            xmp, extra = xmp_in_pieces(xmp)
        options["xmp"] = xmp
    if metadata.dpi is not None:
        options["dpi"] = metadata.dpi
    if metadata.iptc is not None:
        extra += jpeg_segment(metadata.iptc) or b""
    if metadata.texts:
        comment = "\n".join(text.text for text in metadata.texts).encode()
        if len(comment) <= _MAX_JPEG_COMMENT_BYTES:
            options["comment"] = comment
        else:
            notes.append("comment dropped: too long for a JPEG")
    _picture(samples).save(
        file,
        "JPEG",
        quality=quality,
        subsampling=0,
        icc_profile=metadata.icc,
        extra=extra,
        **options,
    )
    return notes


def _write_webp(
    samples: NDArray[np.generic], file: BinaryIO, metadata: ImageMetadata, exif: Image.Exif
) -> None:
    """Write without loss. The resolution has no place of its own, so it goes into the EXIF."""
    if metadata.dpi is not None:
        exif.update(resolution_tags(metadata.dpi, None, is_per_cm=metadata.is_per_cm))
    picture, icc = _picture(samples), metadata.icc
    if picture.mode.startswith("L"):  # WebP knows no grey
        picture, icc = grey_to_srgb(picture, icc)
    options: dict[str, object] = {} if metadata.xmp is None else {"xmp": metadata.xmp.encode()}
    picture.save(
        file, "WEBP", lossless=True, exact=True, icc_profile=icc, exif=serialised(exif), **options
    )


def _picture(samples: NDArray[np.generic]) -> Image.Image:
    return Image.fromarray(samples[:, :, 0] if samples.shape[2] == 1 else samples)
