"""Decoding: a file becomes checked float pixels, or the reason why it cannot."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.bit_depth import bit_depth
from zssr_daemon.imaging.colour import to_plain_mode
from zssr_daemon.imaging.containers import PNG_PIXELS, png_with_only
from zssr_daemon.imaging.formats import (
    ALLOWED_FORMATS,
    HEAD_BYTES,
    ImageInfo,
    ImageLimits,
    sniff_format,
)
from zssr_daemon.imaging.metadata import (
    ImageMetadata,
    drop_odd_xmp,
    read_metadata,
    read_orientation,
    read_png_colour,
)
from zssr_daemon.imaging.pillow import open_picture, pixel_limit
from zssr_daemon.imaging.samples.decoded import DecodedImage, Loaded, finished
from zssr_daemon.imaging.samples.load_deep import check_steps, load_deep
from zssr_daemon.imaging.samples.meaning import Meaning
from zssr_daemon.imaging.samples.retag import planes_together
from zssr_daemon.imaging.samples.tiff_layout import tiff_layout
from zssr_daemon.imaging.truncation import ends_early


def inspect(fd: int, limits: ImageLimits) -> ImageInfo:
    """Decode every frame of the file behind `fd` and say what it is: the readiness gate.

    Of several frames the largest is described. Raises ImageError with the reason; OSError where
    the disk fails.
    """
    data = read_file(fd, limits)
    infos = [_load(data, limits).info]
    infos += [_load(data, limits, frame).info for frame in range(1, infos[0].frames)]
    largest = max(infos, key=lambda info: info.width * info.height)
    return replace(largest, has_alpha=any(info.has_alpha for info in infos))


def decode(data: bytes, limits: ImageLimits, *, frame: int = 0) -> DecodedImage:
    """Decode a frame of the file in `data` into float pixels, turned upright.

    Colour under full transparency, and void samples, are replaced by visible neighbours. Raises
    ImageError with the reason.
    """
    return finished(_load(data, limits, frame))


def count_frames(data: bytes, limits: ImageLimits) -> int:
    """Return how many frames of the file in `data` are to be enlarged. Raises as `decode`."""
    format_name = sniff_format(data[:HEAD_BYTES]) or "unknown"
    with (
        _decoder_faults(data, format_name),
        _bomb_guard(limits),
        open_picture(data, ALLOWED_FORMATS) as source,
    ):
        return _count_frames(source, limits, [])


def read_file(fd: int, limits: ImageLimits) -> bytes:
    """Read the whole file behind `fd`, wherever the descriptor stands.

    Decoders then work on memory, so that a failing disk cannot pass for a damaged picture.
    Raises ImageError (`file_too_large`); OSError where the disk fails.
    """
    size = os.fstat(fd).st_size
    if size > limits.max_file_bytes:
        message = f"{size} bytes, more than the limit of {limits.max_file_bytes}"
        raise ImageError(message, reason=Reason.FILE_TOO_LARGE)
    data = bytearray()
    while len(data) < size and (block := os.pread(fd, size - len(data), len(data))):
        data += block
    return bytes(data)


def _load(data: bytes, limits: ImageLimits, frame: int = 0) -> Loaded:
    """Check the content, check the header, decode in full."""
    if not data:
        raise ImageError("the file is empty", reason=Reason.TRUNCATED)
    format_name = sniff_format(data[:HEAD_BYTES])
    if format_name is None:
        allowed = ", ".join(ALLOWED_FORMATS)
        raise ImageError(f"the content is none of {allowed}", reason=Reason.UNSUPPORTED_FORMAT)
    try:
        return _decode_picture(data, format_name, limits, frame, [])
    except ImageError as error:
        if format_name != "PNG" or error.reason != "corrupt":
            raise
        return _decode_damaged_png(data, limits, frame, error)


def _decode_damaged_png(data: bytes, limits: ImageLimits, frame: int, fault: ImageError) -> Loaded:
    """Try again without the chunks that carry no pixels: Pillow gives up at any damaged one."""
    for names in (PNG_PIXELS | {b"iCCP"}, PNG_PIXELS):
        with suppress(ImageError):
            notes = [f"metadata dropped ({fault})"]
            return _decode_picture(png_with_only(data, names), "PNG", limits, frame, notes)
    raise fault


def _decode_picture(
    data: bytes, format_name: str, limits: ImageLimits, frame: int, notes: list[str]
) -> Loaded:
    """Decode; whatever a decoder raises becomes an ImageError."""
    with _decoder_faults(data, format_name), _bomb_guard(limits), _quiet_libraries():
        return _decode_unguarded(data, format_name, limits, frame, notes)


def _decode_unguarded(
    data: bytes, format_name: str, limits: ImageLimits, frame: int, notes: list[str]
) -> Loaded:
    """Check the header, decode in full, and convert to grey or RGB with or without alpha."""
    depth = bit_depth(data, format_name, frame)
    layout = tiff_layout(data, frame) if format_name == "TIFF" else None
    is_numbers = not (layout is None or layout.is_plain)
    is_apart = layout is not None and layout.is_separate and is_numbers
    shown = planes_together(data, frame) if is_apart else data
    with open_picture(shown, [format_name]) as source:
        frames = _count_frames(source, limits, notes)
        if ends_early(data, format_name, frame):
            raise ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
        if frames > 1:
            source.seek(frame)
        drop_odd_xmp(source)
        if depth == 16 or is_numbers:
            loaded = load_deep(source, data, limits, notes, layout=layout, page=frame)
        else:
            loaded = _load_plain(source, notes, key_scale=_key_scale(data, format_name))
        samples, orientation, metadata = loaded
        meaning = Meaning.of(samples, source, layout, notes)
    check_steps(samples, meaning.nodata)
    height, width = samples.shape[:2] if orientation < 5 else samples.shape[1::-1]
    if format_name == "PNG" and metadata.icc is None:
        metadata = replace(metadata, png_colour=read_png_colour(data))
    info = ImageInfo(
        width=width,
        height=height,
        channels=meaning.channels,
        has_alpha=meaning.has_alpha,
        bit_depth=depth,
        format=source.format or format_name,
        kind=meaning.kind,
        extra_codes=meaning.extra_codes,
        nodata=meaning.nodata,
        frames=frames,
        note="; ".join(notes) or None,
    )
    return Loaded(samples=samples, orientation=orientation, info=info, metadata=metadata)


def _load_plain(
    source: Image.Image, notes: list[str], *, key_scale: int
) -> tuple[NDArray[np.unsignedinteger], int, ImageMetadata]:
    """Decode 8 bits a channel through Pillow: samples, orientation, metadata."""
    source.load()
    if source.mode == "1":
        notes.append("1 bit a pixel becomes 8-bit grey")
    orientation = read_orientation(source)
    metadata = read_metadata(source, notes)
    picture, icc = to_plain_mode(source, notes, key_scale=key_scale)
    return np.atleast_3d(np.asarray(picture)), orientation, replace(metadata, icc=icc)


def _count_frames(source: Image.Image, limits: ImageLimits, notes: list[str]) -> int:
    """Return how many frames to enlarge; the previews in a phone's photograph do not count."""
    frames = getattr(source, "n_frames", 1)
    if source.format == "MPO":
        if frames > 1:
            notes.append(f"frame 0 of {frames} taken")
        return 1
    if frames > 1 and not limits.each_frame:
        cure = 'set [output] frames = "each", or split it first'
        raise ImageError(f"{frames} frames, and one is expected: {cure}", reason=Reason.MULTI_FRAME)
    return frames


def _key_scale(data: bytes, format_name: str) -> int:
    """Return the factor from a PNG's grey levels of 2 or 4 bits to those of 8."""
    return 255 // ((1 << data[24]) - 1) if format_name == "PNG" and data[24] in {2, 4} else 1


@contextmanager
def _bomb_guard(limits: ImageLimits) -> Iterator[None]:
    """Refuse pictures of more than `max_input_pixels`; other warnings of decoders are dropped."""
    with pixel_limit(limits.max_input_pixels), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged metadata never fails an image
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep what C libraries print about a file out of the log; their errors are raised too."""
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)


@contextmanager
def _decoder_faults(data: bytes, format_name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into the file's fault, with its reason."""
    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise ImageError(str(error), reason=Reason.TOO_MANY_PIXELS) from error
    except MemoryError as error:
        message = "decoding needs more memory than is allowed"
        raise ImageError(message, reason=Reason.TOO_MANY_PIXELS) from error
    except Exception as error:
        raise _fault(error, data, format_name) from error


def _fault(error: Exception, data: bytes, format_name: str) -> ImageError:
    """Find the reason for a decoder's failure."""
    # Only the decoder knows the end of some files, such as a packed BMP.
    says_truncated = format_name != "PNG" and "truncated" in str(error).lower()
    if says_truncated or ends_early(data, format_name):
        return ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
    if isinstance(error, UnidentifiedImageError) and format_name in {"TIFF", "AVIF"}:
        message = f"a {format_name} of a kind that is not supported"
        return ImageError(message, reason=Reason.UNSUPPORTED_FORMAT)
    return ImageError(f"damaged {format_name}: {error}", reason=Reason.CORRUPT)
