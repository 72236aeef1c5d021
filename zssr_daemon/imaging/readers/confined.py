"""Confined: the formats whose decoders are the most attacked; a confined child alone runs them.

Whoever calls this is in such a child already: the probe, or the decoder that a worker starts.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.colour import to_plain_mode, usable_profile
from zssr_daemon.imaging.formats import CONFINED_FORMATS, ImageInfo, ImageLimits
from zssr_daemon.imaging.metadata.read import drop_odd_xmp, read_metadata, read_orientation
from zssr_daemon.imaging.readers.content import format_of
from zssr_daemon.imaging.readers.gif import read_gif
from zssr_daemon.imaging.readers.guards import bomb_guard, decoder_faults, quiet_libraries
from zssr_daemon.imaging.readers.heif import read_heif
from zssr_daemon.imaging.readers.jpeg_2000 import read_jpeg_2000
from zssr_daemon.imaging.readers.jpeg_xl import read_jpeg_xl
from zssr_daemon.imaging.readers.picture import FrameRead, Header
from zssr_daemon.imaging.readers.pnm import read_pnm
from zssr_daemon.imaging.readers.targa import read_tga
from zssr_daemon.imaging.samples.meaning import Meaning
from zssr_daemon.imaging.truncation import ends_early

_READERS: Final[dict[str, Callable[[bytes, list[str]], Header]]] = {
    "GIF": read_gif,
    "HEIF": read_heif,
    "JPEG2000": read_jpeg_2000,
    "JXL": read_jpeg_xl,
    "PPM": read_pnm,
    "TGA": read_tga,
}


def read_header(data: bytes, format_name: str, limits: ImageLimits, notes: list[str]) -> Header:
    """Read the header of a file in one of CONFINED_FORMATS, and refuse what may not be decoded.

    Raises ImageError; for a damaged file any other exception of a decoder.
    """
    if ends_early(data, format_name):
        raise ImageError("the file ends before its content does", reason=Reason.TRUNCATED)
    header = _READERS[format_name](data, notes)
    header.check_size(limits)
    if header.frames > 1 and not limits.each_frame:
        raise several_frames(header.frames)
    return header


def several_frames(frames: int) -> ImageError:
    """Return the refusal of a file of so many frames, with the cure."""
    cure = 'set [output] frames = "each", or split it first'
    return ImageError(f"{frames} frames, and one is expected: {cure}", reason=Reason.MULTI_FRAME)


def described_by_header(data: bytes, limits: ImageLimits) -> ImageInfo | None:
    """Describe a picture that takes long to decode; None where it is to be decoded."""
    format_name = format_of(data, limits)
    if format_name not in CONFINED_FORMATS:
        return None
    notes: list[str] = []
    with decoder_faults(data, format_name), bomb_guard(limits), quiet_libraries():
        header = read_header(data, format_name, limits, notes)
    return _info_of(header, format_name, notes) if header.is_slow else None


def read_confined(
    data: bytes, format_name: str, limits: ImageLimits, frame: int, notes: list[str]
) -> FrameRead:
    """Read a file in one of CONFINED_FORMATS."""
    header = read_header(data, format_name, limits, notes)
    picture = header.load(frame)
    image = picture.image
    drop_odd_xmp(image)
    orientation = 1 if picture.is_upright else read_orientation(image)
    metadata = read_metadata(image, notes)
    if picture.deep is None:
        plain, icc = to_plain_mode(image, notes)
        samples: NDArray[np.unsignedinteger] = np.atleast_3d(np.asarray(plain))
    else:
        samples, icc = picture.deep, usable_profile(image, notes)
    return FrameRead(
        samples=samples,
        meaning=Meaning.of(samples, image, None, notes),
        orientation=orientation,
        stored_orientation=orientation,
        metadata=replace(metadata, icc=icc),
        bit_depth=header.bit_depth,
        frames=header.frames,
        format=format_name,
    )


def _info_of(header: Header, format_name: str, notes: list[str]) -> ImageInfo:
    """Describe a picture by its header alone."""
    return ImageInfo(
        width=header.width,
        height=header.height,
        channels=header.channels,
        has_alpha=header.has_alpha,
        bit_depth=header.bit_depth,
        format=format_name,
        frames=header.frames,
        note="; ".join(notes) or None,
    )
