"""Decoding: a file becomes checked float pixels, or the reason why it cannot."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.bit_depth import bit_depth
from zssr_daemon.imaging.colour import to_plain_mode, usable_profile
from zssr_daemon.imaging.containers import PNG_COLOUR, PNG_PIXELS, png_with_only
from zssr_daemon.imaging.formats import (
    CONFINED_FORMATS,
    ImageInfo,
    ImageLimits,
)
from zssr_daemon.imaging.metadata.colour_tags import is_hdr
from zssr_daemon.imaging.metadata.enlargement import Grid
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.read import (
    drop_odd_xmp,
    is_measured,
    read_metadata,
    read_orientation,
    with_parts,
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
from zssr_daemon.imaging.readers.picture import FrameRead
from zssr_daemon.imaging.readers.tiff_pages import TiffPages, tiff_pages
from zssr_daemon.imaging.samples.decoded import DecodedImage, Loaded, finished
from zssr_daemon.imaging.samples.load_deep import check_steps, load_deep
from zssr_daemon.imaging.samples.meaning import Meaning
from zssr_daemon.imaging.samples.retag import planes_together
from zssr_daemon.imaging.samples.tiff_layout import tiff_layout
from zssr_daemon.imaging.truncation import ends_early
from zssr_daemon.imaging.vips import open_lossless


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

    Colour under full transparency, and void samples, are replaced by visible neighbours. Only a
    confined child may call it for CONFINED_FORMATS. Raises ImageError with the reason.
    """
    return finished(load(data, limits, frame))


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
    for names in (PNG_PIXELS | PNG_COLOUR, PNG_PIXELS | PNG_COLOUR - {b"iCCP"}, PNG_PIXELS):
        with suppress(ImageError):
            notes = [f"metadata dropped ({fault})"]
            found = _decode_picture(png_with_only(data, names), "PNG", limits, frame, notes)
            lost = (*found.metadata.lost_metadata, "metadata of a damaged PNG")
            return replace(found, metadata=replace(found.metadata, lost_metadata=lost))
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
    meaning = content.meaning
    height, width = samples.shape[:2] if orientation < 5 else samples.shape[1::-1]
    grid = Grid.of_upright(width, height, content.stored_orientation)
    metadata = with_parts(replace(metadata, pages=content.frames), data, format_name, grid)
    info = ImageInfo(
        width=width,
        height=height,
        channels=meaning.channels,
        has_alpha=meaning.has_alpha,
        bit_depth=content.bit_depth,
        format=content.format,
        kind=meaning.kind,
        extra_codes=meaning.extra_codes,
        nodata=meaning.nodata,
        frames=content.frames,
        note="; ".join(notes) or None,
        is_hdr=is_hdr(metadata.png_colour),
        is_cut=content.is_cut,
    )
    return Loaded(samples=samples, orientation=orientation, info=info, metadata=metadata)


def _read_open(
    data: bytes, format_name: str, limits: ImageLimits, frame: int, notes: list[str]
) -> FrameRead:
    """Read a file in any other format."""
    pages = tiff_pages(data) if format_name == "TIFF" else None
    page = pages.pictures[frame] if pages else frame
    depth = bit_depth(data, format_name, page)
    layout = tiff_layout(data, page) if format_name == "TIFF" else None
    is_cut = limits.accepts_cut and format_name == "JPEG" and ends_early(data, format_name)
    if is_cut:
        data = completed(data, notes)
    is_numbers = not (layout is None or layout.is_plain)
    is_apart = layout is not None and layout.is_separate and is_numbers
    shown = planes_together(data, page) if is_apart else data
    with open_picture(shown, [format_name]) as source:
        frames = _count_frames(source, pages, limits, notes)
        if ends_early(data, format_name, page):
            raise ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
        is_measure = is_measured(source)
        if page > 0:
            source.seek(page)
        drop_odd_xmp(source)
        # Pillow turns a TIFF upright while it loads it, and forgets that it did.
        stored = read_orientation(source) if format_name == "TIFF" else 1
        if depth == 16 or is_numbers:
            loaded = load_deep(source, data, limits, notes, layout=layout, page=page)
        elif pages and page in pages.webp:
            loaded = _load_webp_page(source, data, page, limits, notes)
        else:
            loaded = _load_plain(source, notes, key_scale=_key_scale(data, format_name))
        samples, orientation, metadata = loaded
        meaning = Meaning.of(samples, source, layout, notes)
    check_steps(samples, meaning.nodata)
    return FrameRead(
        samples=samples,
        meaning=meaning,
        orientation=orientation,
        stored_orientation=stored if orientation == 1 else orientation,
        metadata=replace(metadata, is_measured=is_measure),
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
    if source.mode == "1":
        notes.append("1 bit a pixel becomes 8-bit grey")
    orientation = read_orientation(source)
    metadata = read_metadata(source, notes)
    picture, icc = to_plain_mode(source, notes, key_scale=key_scale)
    return np.atleast_3d(np.asarray(picture)), orientation, replace(metadata, icc=icc)


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
