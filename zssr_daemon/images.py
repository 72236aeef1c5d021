"""Reading images: an open descriptor becomes checked float pixels, or a reason why not."""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from zssr_daemon.colour import fill_hidden_colour, to_plain_mode
from zssr_daemon.containers import png_with_only
from zssr_daemon.depth import bit_depth
from zssr_daemon.errors import ImageError
from zssr_daemon.formats import ALLOWED_FORMATS, HEAD_BYTES, ImageInfo, ImageLimits, sniff_format
from zssr_daemon.metadata import ImageMetadata, drop_odd_xmp, read_metadata, read_orientation
from zssr_daemon.truncation import ends_early

# What makes the pixels of a PNG, and tells an animated one.
_PNG_PIXELS: Final = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """A source as the algorithm wants it.

    `pixels` is (H, W, C) float32 in [0, 1], C = 1 (grey) or 3 (RGB); `alpha` is (H, W) float32
    in [0, 1], or None. Both are upright, contiguous, and the caller's own.
    """

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    info: ImageInfo
    metadata: ImageMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """A fully decoded picture, not yet turned upright."""

    picture: Image.Image
    orientation: int
    info: ImageInfo
    metadata: ImageMetadata


def inspect(fd: int, limits: ImageLimits) -> ImageInfo:
    """Decode the file behind `fd` in full and say what it is: the readiness gate.

    Raises ImageError with the reason; an OSError with an errno is the disk's and passes through.
    """
    return _load(_read_file(fd, limits), limits).info


def decode(fd: int, limits: ImageLimits) -> DecodedImage:
    """Read the file behind `fd` into float pixels, turned upright.

    Colour under full transparency is replaced by that of visible neighbours. Raises as `inspect`.
    """
    loaded = _load(_read_file(fd, limits), limits)
    info = loaded.info
    samples = _upright(np.atleast_3d(np.asarray(loaded.picture)), loaded.orientation)
    pixels = _to_unit_range(samples[:, :, : info.channels], info.bit_depth)
    alpha = None
    if info.has_alpha:
        alpha = _to_unit_range(samples[:, :, -1], info.bit_depth)
        pixels = fill_hidden_colour(pixels, alpha)
    return DecodedImage(pixels=pixels, alpha=alpha, info=info, metadata=loaded.metadata)


def _read_file(fd: int, limits: ImageLimits) -> bytes:
    """Read the whole file, wherever the descriptor stands.

    Decoders then work on memory, so that a failing disk cannot pass for a damaged picture.
    """
    size = os.fstat(fd).st_size
    if size > limits.max_file_bytes:
        message = f"{size} bytes, more than the limit of {limits.max_file_bytes}"
        raise ImageError(message, reason="file_too_large")
    data = bytearray()
    while len(data) < size and (block := os.pread(fd, size - len(data), len(data))):
        data += block
    return bytes(data)


def _load(data: bytes, limits: ImageLimits) -> _Loaded:
    """Pass the gate: content, header, full decode."""
    if not data:
        raise ImageError("the file is empty", reason="truncated")
    format_name = sniff_format(data[:HEAD_BYTES])
    if format_name is None:
        allowed = ", ".join(ALLOWED_FORMATS)
        raise ImageError(f"the content is none of {allowed}", reason="unsupported_format")
    try:
        return _decode_picture(data, format_name, limits, [])
    except ImageError as error:
        if format_name != "PNG" or error.reason != "corrupt":
            raise
        return _decode_damaged_png(data, limits, error)


def _decode_damaged_png(data: bytes, limits: ImageLimits, fault: ImageError) -> _Loaded:
    """Try again without what carries no pixels: Pillow gives up at any damaged chunk."""
    for names in (_PNG_PIXELS | {b"iCCP"}, _PNG_PIXELS):
        with suppress(ImageError):
            notes = [f"metadata dropped ({fault})"]
            return _decode_picture(png_with_only(data, names), "PNG", limits, notes)
    raise fault


def _decode_picture(
    data: bytes, format_name: str, limits: ImageLimits, notes: list[str]
) -> _Loaded:
    """Let nothing out of the decoders but a picture or an ImageError."""
    with _decoder_faults(data, format_name), _bomb_guard(limits):
        return _decode_unguarded(data, format_name, notes)


def _decode_unguarded(data: bytes, format_name: str, notes: list[str]) -> _Loaded:
    """Check the header, decode everything, and bring it to a plain mode."""
    depth = bit_depth(data, format_name)
    with Image.open(io.BytesIO(data), formats=[format_name]) as source:
        _check_frames(source, notes)
        if ends_early(data, format_name):
            raise ImageError("the file ends before its content does", reason="truncated")
        drop_odd_xmp(source)
        source.load()
        orientation = read_orientation(source)
        metadata = read_metadata(source, notes)
        picture, icc = to_plain_mode(source, notes, key_scale=_key_scale(data, format_name))
        # Copied, because closing the source would take the pixels along.
        picture = picture.copy() if picture is source else picture
    width, height = picture.size if orientation < 5 else picture.size[::-1]
    info = ImageInfo(
        width=width,
        height=height,
        channels=3 if picture.mode.startswith("RGB") else 1,
        has_alpha=picture.mode.endswith("A"),
        bit_depth=depth,
        format=source.format or format_name,
        note="; ".join(notes) or None,
    )
    return _Loaded(
        picture=picture, orientation=orientation, info=info, metadata=replace(metadata, icc=icc)
    )


def _check_frames(source: Image.Image, notes: list[str]) -> None:
    """Refuse several frames, except the previews a phone stores behind its photograph."""
    frames = getattr(source, "n_frames", 1)
    if frames <= 1:
        return
    if source.format != "MPO":
        message = f"{frames} frames: only files of one frame are enlarged; split it first"
        raise ImageError(message, reason="multi_frame")
    notes.append(f"frame 0 of {frames} taken")


def _key_scale(data: bytes, format_name: str) -> int:
    """Return the factor from a PNG's grey levels of 2 or 4 bits to those of 8."""
    return 255 // ((1 << data[24]) - 1) if format_name == "PNG" and data[24] in {2, 4} else 1


def _to_unit_range(samples: NDArray[np.integer], bit_depth: int) -> NDArray[np.float32]:
    """Divide levels by the highest one, into a new contiguous array."""
    values = samples.astype(np.float32, order="C")
    values /= (1 << bit_depth) - 1
    return values


def _upright(samples: NDArray[np.integer], orientation: int) -> NDArray[np.integer]:
    """Apply an EXIF orientation to (H, W, C) samples; a view."""
    if orientation >= 5:
        samples = samples.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        samples = samples[::-1]
    if orientation in {2, 3, 6, 7}:
        samples = samples[:, ::-1]
    return samples


@contextmanager
def _bomb_guard(limits: ImageLimits) -> Iterator[None]:
    """Hold Pillow to `max_input_pixels`, and put its process-wide limit back afterwards."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = limits.max_input_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata, which never fails an image
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextmanager
def _decoder_faults(data: bytes, format_name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into the file's fault, with its reason."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(str(error), reason="too_many_pixels") from error
    except MemoryError as error:
        message = "decoding needs more memory than is allowed"
        raise ImageError(message, reason="too_many_pixels") from error
    except Exception as error:
        raise _fault(error, data, format_name) from error


def _fault(error: Exception, data: bytes, format_name: str) -> ImageError:
    """Find the reason for a decoder's failure."""
    # Where the end cannot be known beforehand, as in a packed BMP, the decoder says it.
    says_truncated = format_name != "PNG" and "truncated" in str(error).lower()
    if says_truncated or ends_early(data, format_name):
        return ImageError("the file ends before its content does", reason="truncated")
    if isinstance(error, UnidentifiedImageError) and format_name in {"TIFF", "AVIF"}:
        message = f"a {format_name} of a kind that is not supported"
        return ImageError(message, reason="unsupported_format")
    return ImageError(f"damaged {format_name}: {error}", reason="corrupt")
