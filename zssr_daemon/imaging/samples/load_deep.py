"""LoadDeep: every sample of a 16-bit PNG or a page of a TIFF, in its own type, through libvips."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.colour import to_plain_mode, usable_profile
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.read import read_metadata, read_orientation
from zssr_daemon.imaging.samples.retag import retagged
from zssr_daemon.imaging.samples.sample_range import fits_float32
from zssr_daemon.imaging.samples.tiff_layout import (
    BITS_PER_SAMPLE,
    BLACK_IS_ZERO,
    CMYK,
    EXTRA_SAMPLES,
    PHOTOMETRIC,
    PLANAR_CONFIGURATION,
    SAMPLE_FORMAT,
    SAMPLES_PER_PIXEL,
    TiffLayout,
    unsupported,
)
from zssr_daemon.imaging.samples.void import Void, parse_nodata
from zssr_daemon.imaging.vips import read_samples

_SAMPLE_FORMATS: Final = {"unsigned": 1, "signed": 2, "float": 3}


def load_deep(
    source: Image.Image,
    data: bytes,
    limits: ImageLimits,
    notes: list[str],
    *,
    layout: TiffLayout | None,
    page: int,
) -> tuple[NDArray[Any], int, ImageMetadata]:
    """Decode every sample of a 16-bit PNG or of a TIFF: samples, orientation, metadata.

    Pillow reads what is not pixels. layout: of the page, if it is a TIFF.
    """
    if layout is None and getattr(source, "n_frames", 1) > 1:
        raise ImageError("an animation of 16 bits per channel", reason=Reason.UNSUPPORTED_DEPTH)
    if layout is None:
        source.load()  # metadata may follow the pixels
        samples = read_samples(data, "PNG", max_pixels=limits.max_input_pixels)
    else:
        samples = _read_tiff(data, limits, layout=layout, page=page, notes=notes)
    orientation = read_orientation(source)
    metadata = read_metadata(source, notes)
    samples, icc = _colours_of(samples, source, layout, notes)
    return samples, orientation, replace(metadata, icc=icc)


def _colours_of(
    samples: NDArray[Any], source: Image.Image, layout: TiffLayout | None, notes: list[str]
) -> tuple[NDArray[Any], bytes | None]:
    """Return samples whose colours are grey or RGB, and the profile their numbers are in."""
    if layout is None or layout.photometric != CMYK:
        return samples, usable_profile(source, notes)
    ink = Image.fromarray(np.ascontiguousarray(samples[:, :, :4]), "CMYK")
    ink.info["icc_profile"] = source.info.get("icc_profile")
    picture, icc = to_plain_mode(ink, notes)
    return np.concatenate([np.asarray(picture), samples[:, :, 4:]], axis=2), icc


def _read_tiff(
    data: bytes, limits: ImageLimits, *, layout: TiffLayout, page: int, notes: list[str]
) -> NDArray[Any]:
    """Return (H, W, C) samples; floating ones as float32.

    Raises ImageError (`too_many_pixels`, `unsupported_depth`), pyvips.Error for damage.
    """
    if layout.is_separate:
        one = replace(layout, is_separate=False, photometric=BLACK_IS_ZERO, extra_codes=())
        read = [
            _read_tiff(retagged(data, page, tags), limits, layout=one, page=0, notes=notes)
            for tags in _plane_tags(layout)
        ]
        return np.concatenate(read, axis=2)
    is_by_bits = layout.kind == "float" and layout.bits != 32
    if is_by_bits:
        data, page = retagged(data, page, _as_words(layout)), 0
    elif not layout.is_declared:
        data, page = retagged(data, page, {EXTRA_SAMPLES: layout.extra_codes}), 0
    samples = read_samples(data, "TIFF", max_pixels=limits.max_input_pixels, page=page)
    return _as_float32(samples, layout, notes) if is_by_bits else samples


def _plane_tags(layout: TiffLayout) -> Iterator[dict[int, tuple[int, ...]]]:
    """Yield the tags with which each sample of a pixel is a picture of its own."""
    for band in range(layout.bands):
        blocks = {}
        for tag, values in layout.blocks:
            each = len(values) // layout.bands
            blocks[tag] = values[band * each : (band + 1) * each]
        meaning = {
            PHOTOMETRIC: (BLACK_IS_ZERO,),
            BITS_PER_SAMPLE: (layout.bits,),
            SAMPLES_PER_PIXEL: (1,),
            SAMPLE_FORMAT: (_SAMPLE_FORMATS[layout.kind],),
            PLANAR_CONFIGURATION: (1,),
            EXTRA_SAMPLES: (),
        }
        yield meaning | blocks


def _as_words(layout: TiffLayout) -> dict[int, tuple[int, ...]]:
    """Return the tags with which floating samples are whole numbers of at most 32 bits."""
    count = max(1, layout.bits // 32) * layout.bands
    return {
        PHOTOMETRIC: (BLACK_IS_ZERO,),
        BITS_PER_SAMPLE: (min(32, layout.bits),) * count,
        SAMPLES_PER_PIXEL: (count,),
        SAMPLE_FORMAT: (1,) * count,
        EXTRA_SAMPLES: (0,) * (count - 1),
    }


def _as_float32(words: NDArray[Any], layout: TiffLayout, notes: list[str]) -> NDArray[np.float32]:
    """Return floating numbers that were read as whole ones with the same bits."""
    if layout.bits == 16:
        return words.view(np.float16).astype(np.float32)
    if layout.is_big_endian:  # the halves of a number were swapped apart from each other
        height, width, count = words.shape
        words = words.reshape(height, width, count // 2, 2)[..., ::-1].reshape(words.shape)
    exact = np.ascontiguousarray(words).view(np.float64)
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32)
    if not np.array_equal(rounded, exact, equal_nan=True):
        notes.append("samples of 64 bits rounded to 32")
    return rounded


def check_steps(samples: NDArray[Any], nodata: str | None) -> None:
    """Refuse whole numbers that are finer than float32 tells apart (`unsupported_depth`)."""
    if samples.dtype.kind == "f" or samples.dtype.itemsize < 4:
        return
    for band in range(samples.shape[2]):
        one = samples[:, :, band : band + 1]
        void = Void.of(one, None if nodata is None else parse_nodata(nodata))
        if not fits_float32(one, None if void is None else void.is_content):
            raise unsupported("whole numbers with more than 24 bits between lowest and highest")
