"""Writing images: float pixels become a PNG, and the written file is read back."""

import io
import os
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from zssr_daemon.errors import JobError
from zssr_daemon.metadata import ImageMetadata, resized_exif
from zssr_daemon.truncation import ends_early

_XMP_KEYWORD: Final = "XML:com.adobe.xmp"

# What IHDR holds for each kind of output: channels, has_alpha, bit_depth → colour type.
_COLOUR_TYPES: Final = {
    (1, False, 8): 0,
    (1, False, 16): 0,
    (3, False, 8): 2,
    (1, True, 8): 4,
    (3, True, 8): 6,
}


def encode(
    pixels: NDArray[np.floating],
    alpha: NDArray[np.floating] | None,
    fd: int,
    *,
    bit_depth: int,
    metadata: ImageMetadata,
    keep_metadata: bool,
    comments: Mapping[str, str],
) -> None:
    """Write a PNG to the descriptor `fd`, from where it stands; no fsync, no close.

    `pixels` is (H, W, C) float with C = 1 or 3, `alpha` (H, W) float or None, nominally in
    [0, 1]: values outside are clipped, the rest rounded to the nearest level. `bit_depth` is 8,
    or 16 for grey without alpha. Profile and `comments` (PNG text: keyword → text) are always
    written, EXIF, resolution and XMP if `keep_metadata`.

    Raises JobError (`not_finite`) for NaN and infinity, ValueError for a shape or depth that PNG
    or Pillow cannot take; an OSError is the disk's.
    """
    picture = _to_picture(pixels, alpha, bit_depth)
    text = PngImagePlugin.PngInfo()
    for keyword, value in comments.items():
        text.add_text(keyword, value)
    options: dict[str, object] = {"icc_profile": metadata.icc, "pnginfo": text}
    if keep_metadata:
        if metadata.xmp is not None:
            text.add_itxt(_XMP_KEYWORD, metadata.xmp)
        if metadata.exif is not None:
            options["exif"] = resized_exif(metadata.exif, *picture.size)
        options["dpi"] = metadata.dpi
    with open(fd, "wb", closefd=False) as file:
        picture.save(file, format="PNG", **options)


def verify(
    fd: int,
    *,
    width: int,
    height: int,
    channels: int,
    has_alpha: bool,
    bit_depth: int,
    icc: bytes | None = None,
) -> None:
    """Read the PNG behind `fd` back in full and compare it with what was to be written.

    `icc` is the profile that must be inside; None where none was promised. Raises JobError
    (`output_invalid`); an OSError with an errno is the disk's.
    """
    data = _read_all(fd)
    expected = (width, height, bit_depth, _COLOUR_TYPES[channels, has_alpha, bit_depth])
    size = (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    actual = (*size, *data[24:26])
    if actual != expected:
        message = f"width, height, depth, colour type: {actual} instead of {expected}"
        raise JobError(message, reason="output_invalid")
    if ends_early(data, "PNG"):
        raise JobError("the written file is incomplete", reason="output_invalid")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            picture.load()
            written_icc = picture.info.get("icc_profile")
    except Exception as error:
        raise JobError(f"cannot be read back: {error}", reason="output_invalid") from error
    if icc is not None and written_icc != icc:
        raise JobError("the colour profile was not kept", reason="output_invalid")


def _to_picture(
    pixels: NDArray[np.floating], alpha: NDArray[np.floating] | None, bit_depth: int
) -> Image.Image:
    """Join colour and alpha, and round them to whole levels."""
    kind = (pixels.shape[2], alpha is not None, bit_depth)
    if kind not in _COLOUR_TYPES:
        raise ValueError(f"channels, has_alpha, bit_depth = {kind} cannot be written")
    samples = pixels if alpha is None else np.dstack([pixels, alpha])
    if not np.isfinite(samples).all():
        raise JobError("the result holds NaN or infinity", reason="not_finite")
    top = (1 << bit_depth) - 1
    levels = np.rint(np.clip(samples, 0, 1) * top)
    whole = levels.astype(np.uint8 if bit_depth == 8 else np.uint16)
    return Image.fromarray(whole[:, :, 0] if whole.shape[2] == 1 else whole)


def _read_all(fd: int) -> bytes:
    """Read the file from its beginning, wherever the descriptor stands."""
    data = bytearray()
    while block := os.pread(fd, 1 << 24, len(data)):
        data += block
    return bytes(data)
