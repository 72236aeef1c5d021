"""Decoding: a file becomes checked float pixels, or the reason why it cannot."""

from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.alpha import fill_hidden_colour
from zssr_daemon.imaging.bit_depth import bit_depth
from zssr_daemon.imaging.colour import to_plain_mode, usable_profile
from zssr_daemon.imaging.containers import PNG_PIXELS, png_with_only
from zssr_daemon.imaging.formats import (
    CONFINED_FORMATS,
    ImageInfo,
    ImageLimits,
)
from zssr_daemon.imaging.metadata import (
    ImageMetadata,
    drop_odd_xmp,
    read_metadata,
    read_orientation,
    read_png_colour,
)
from zssr_daemon.imaging.pillow import open_picture
from zssr_daemon.imaging.readers.confined import (
    described_by_header,
    read_confined,
    read_header,
    several_frames,
)
from zssr_daemon.imaging.readers.content import format_of, read_file
from zssr_daemon.imaging.readers.cut_jpeg import completed
from zssr_daemon.imaging.readers.guards import bomb_guard, decoder_faults, quiet_libraries
from zssr_daemon.imaging.readers.picture import Content
from zssr_daemon.imaging.readers.tiff_pages import TiffPages, tiff_pages
from zssr_daemon.imaging.truncation import ends_early
from zssr_daemon.imaging.vips import open_lossless, read_deep


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedImage:
    """One frame as the algorithm wants it.

    `pixels` is (H, W, C) float32 in [0, 1], C = 1 (grey) or 3 (RGB); `alpha` is (H, W) float32
    in [0, 1], or None. Both are upright, contiguous, and the caller's own.
    """

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    info: ImageInfo
    metadata: ImageMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A fully decoded picture, not yet turned upright: (H, W, C) samples, alpha last."""

    samples: NDArray[np.unsignedinteger]
    orientation: int
    info: ImageInfo
    metadata: ImageMetadata


def inspect(fd: int, limits: ImageLimits) -> ImageInfo:
    """Decode every frame of the file behind `fd` and say what it is: the readiness gate.

    Of several frames the largest is described. A picture that takes long to decode (large JPEG
    2000, JPEG XL, HEIF) is described by its header: the decoding of the job is its full check.
    Raises ImageError with the reason; OSError where the disk fails.
    """
    data = read_file(fd, limits)
    slow = described_by_header(data, limits)
    if slow is not None:
        return slow
    infos = [load(data, limits).info]
    infos += [load(data, limits, frame).info for frame in range(1, infos[0].frames)]
    largest = max(infos, key=lambda info: info.width * info.height)
    return replace(largest, has_alpha=any(info.has_alpha for info in infos))


def decode(data: bytes, limits: ImageLimits, *, frame: int = 0) -> DecodedImage:
    """Decode a frame of the file in `data` into float pixels, turned upright.

    Only a confined child may call it for CONFINED_FORMATS. Raises ImageError with the reason.
    """
    return finished(load(data, limits, frame))


def finished(loaded: Loaded) -> DecodedImage:
    """Turn a loaded picture upright, and its samples into float pixels.

    Colour under full transparency is replaced by that of visible neighbours.
    """
    info = loaded.info
    samples = _upright(loaded.samples, loaded.orientation)
    pixels = _to_unit_range(samples[:, :, : info.channels], info.bit_depth)
    alpha = None
    if info.has_alpha:
        alpha = _to_unit_range(samples[:, :, -1], info.bit_depth)
        pixels = fill_hidden_colour(pixels, alpha)
    return DecodedImage(pixels=pixels, alpha=alpha, info=info, metadata=loaded.metadata)


def count_frames(data: bytes, limits: ImageLimits) -> int:
    """Return how many frames of the file in `data` are to be enlarged. Raises as `decode`."""
    format_name = format_of(data, limits)
    with decoder_faults(data, format_name), bomb_guard(limits), quiet_libraries():
        if format_name in CONFINED_FORMATS:
            return read_header(data, format_name, limits, []).frames
        with open_picture(data, [format_name]) as source:
            pages = tiff_pages(data) if format_name == "TIFF" else None
            return _count_frames(source, pages, limits, [])


def load(data: bytes, limits: ImageLimits, frame: int = 0) -> Loaded:
    """Check the content, check the header, decode in full. Raises ImageError with the reason."""
    format_name = format_of(data, limits)
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
    with decoder_faults(data, format_name), bomb_guard(limits), quiet_libraries():
        return _decode_unguarded(data, format_name, limits, frame, notes)


def _decode_unguarded(
    data: bytes, format_name: str, limits: ImageLimits, frame: int, notes: list[str]
) -> Loaded:
    """Check the header, decode in full, and convert to grey or RGB with or without alpha."""
    read = read_confined if format_name in CONFINED_FORMATS else _read_open
    content = read(data, format_name, limits, frame, notes)
    samples, orientation, metadata = content.samples, content.orientation, content.metadata
    height, width = samples.shape[:2] if orientation < 5 else samples.shape[1::-1]
    if format_name == "PNG" and metadata.icc is None:
        metadata = replace(metadata, png_colour=read_png_colour(data))
    info = ImageInfo(
        width=width,
        height=height,
        channels=3 if samples.shape[2] > 2 else 1,
        has_alpha=samples.shape[2] in {2, 4},
        bit_depth=content.bit_depth,
        format=content.format,
        frames=content.frames,
        note="; ".join(notes) or None,
        is_cut=content.is_cut,
    )
    return Loaded(samples=samples, orientation=orientation, info=info, metadata=metadata)


def _read_open(
    data: bytes, format_name: str, limits: ImageLimits, frame: int, notes: list[str]
) -> Content:
    """Read a file in any other format."""
    pages = tiff_pages(data) if format_name == "TIFF" else None
    page = pages.pictures[frame] if pages else frame
    depth = bit_depth(data, format_name, page)
    is_cut = limits.accepts_cut and format_name == "JPEG" and ends_early(data, format_name)
    if is_cut:
        data = completed(data, notes)
    with open_picture(data, [format_name]) as source:
        frames = _count_frames(source, pages, limits, notes)
        if ends_early(data, format_name, page):
            raise ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
        if page > 0:
            source.seek(page)
        drop_odd_xmp(source)
        if depth == 16:
            loaded = _load_deep(source, data, page, limits, notes)
        elif pages and page in pages.webp:
            loaded = _load_webp_page(source, data, page, limits, notes)
        else:
            loaded = _load_plain(source, notes, key_scale=_key_scale(data, format_name))
    samples, orientation, metadata = loaded
    return Content(
        samples=samples,
        orientation=orientation,
        metadata=metadata,
        bit_depth=depth,
        frames=frames,
        format=source.format or format_name,
        is_cut=is_cut,
    )


def _load_plain(
    source: Image.Image, notes: list[str], *, key_scale: int
) -> tuple[NDArray[np.unsignedinteger], int, ImageMetadata]:
    """Decode 8 bits a channel through Pillow: samples, orientation, metadata."""
    source.load()
    orientation = read_orientation(source)
    metadata = read_metadata(source, notes)
    picture, icc = to_plain_mode(source, notes, key_scale=key_scale)
    return np.atleast_3d(np.asarray(picture)), orientation, replace(metadata, icc=icc)


def _load_deep(
    source: Image.Image, data: bytes, frame: int, limits: ImageLimits, notes: list[str]
) -> tuple[NDArray[np.unsignedinteger], int, ImageMetadata]:
    """Decode 16 bits a channel through libvips; Pillow reads what is not pixels."""
    if source.format == "PNG":
        if getattr(source, "n_frames", 1) > 1:
            raise ImageError("an animation of 16 bits per channel", reason=Reason.UNSUPPORTED_DEPTH)
        source.load()  # metadata may follow the pixels
    orientation = read_orientation(source)
    metadata = replace(read_metadata(source, notes), icc=usable_profile(source, notes))
    samples = read_deep(data, source.format or "", max_pixels=limits.max_input_pixels, page=frame)
    return samples, orientation, metadata


def _load_webp_page(
    source: Image.Image, data: bytes, page: int, limits: ImageLimits, notes: list[str]
) -> tuple[NDArray[np.unsignedinteger], int, ImageMetadata]:
    """Decode a page of a TIFF coded as WebP through libvips: Pillow's libtiff has no such codec."""
    if source.width * source.height > limits.max_input_pixels:
        message = f"{source.width * source.height} pixels, more than {limits.max_input_pixels}"
        raise ImageError(message, reason=Reason.TOO_MANY_PIXELS)
    orientation = read_orientation(source)
    metadata = replace(read_metadata(source, notes), icc=usable_profile(source, notes))
    return np.atleast_3d(open_lossless(data, "TIFF", page=page).numpy()), orientation, metadata


def _count_frames(
    source: Image.Image, pages: TiffPages | None, limits: ImageLimits, notes: list[str]
) -> int:
    """Return how many frames to enlarge; previews and masks that come with a picture are none."""
    frames = getattr(source, "n_frames", 1)
    if source.format == "MPO":
        if frames > 1:
            notes.append(f"frame 0 of {frames} taken")
        return 1
    if pages is not None:
        frames = len(pages.pictures)
        notes += [pages.note] if pages.note else []
    if frames > 1 and not limits.each_frame:
        raise several_frames(frames)
    return frames


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
