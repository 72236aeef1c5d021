"""Verification: a written picture is read back in full and compared with what was meant."""

import mmap
import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import JobError, Reason
from zssr_daemon.imaging.containers import png_chunks
from zssr_daemon.imaging.output_format import OutputFormat
from zssr_daemon.imaging.pillow import open_picture, pixel_limit
from zssr_daemon.imaging.truncation import ends_early
from zssr_daemon.imaging.vips import from_samples, open_lossless

_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_MODES_WITHOUT_GREY: Final = _MODES | {1: "RGB", 2: "RGBA"}


def verify(
    fd: int, samples: NDArray[np.generic], *, output: OutputFormat, icc: bytes | None
) -> None:
    """Read the file behind `fd` and compare its size, depth, pixels and profile.

    `samples` is what was written, (H, W, C); pixels are compared where the format is lossless.
    `icc` is the profile that must be inside; None where none was promised. Raises JobError
    (`output_invalid`); an OSError with an errno is the disk's.
    """
    try:
        with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as data:
            _check(data, samples, output, icc)
    except JobError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise _invalid(f"cannot be read back: {error}") from error
    except Exception as error:
        raise _invalid(f"cannot be read back: {error}") from error


def _check(
    data: mmap.mmap, samples: NDArray[np.generic], output: OutputFormat, icc: bytes | None
) -> None:
    if not _is_whole(data, output.name):
        raise _invalid("the written file is incomplete")
    if output.name in {"PNG", "TIFF"}:
        _compare_lossless(data, samples, output.name)
    # The limit of pixels is about files of others.
    with pixel_limit(None), open_picture(data, [output.name]) as picture:
        if output.name in {"JPEG", "WEBP"}:
            _compare_picture(picture, samples, output)
        written = picture.info.get("icc_profile")
    if icc is not None and written != icc:
        raise _invalid("the colour profile was not kept")


def _is_whole(data: mmap.mmap, format_name: str) -> bool:
    """Tell whether the end is there; missing rows are found when pixels are compared."""
    if format_name != "PNG":
        return not ends_early(data, format_name)
    try:
        return data[:8] == b"\x89PNG\r\n\x1a\n" and bool(list(png_chunks(data)))
    except (IndexError, struct.error):
        return False


def _compare_lossless(data: mmap.mmap, samples: NDArray[np.generic], format_name: str) -> None:
    """Compare every pixel, row by row, so that the written picture is never held as a whole."""
    written, wanted = open_lossless(data, format_name), from_samples(samples)
    if _kind(written) != _kind(wanted):
        raise _invalid(f"width, height, channels, depth: {_kind(written)}, not {_kind(wanted)}")
    if wanted.format == "float":  # NaN is no number, but its bits are equal
        written, wanted = written.copy(format="uint"), wanted.copy(format="uint")
    if (written != wanted).max() > 0:
        raise _invalid("the pixels differ from those that were written")


def _kind(image: Any) -> tuple[int, int, int, str]:
    return image.width, image.height, image.bands, image.format


def _compare_picture(
    picture: Image.Image, samples: NDArray[np.generic], output: OutputFormat
) -> None:
    """Decode in full, and compare what is kept by a format that is lossy or knows no grey."""
    picture.load()
    height, width, channels = samples.shape
    mode = (_MODES if output.has_grey else _MODES_WITHOUT_GREY)[channels]
    if (picture.size, picture.mode) != ((width, height), mode):
        found = f"{picture.size} {picture.mode}"
        raise _invalid(f"size and mode: {found} instead of {(width, height)} {mode}")


def _invalid(message: str) -> JobError:
    return JobError(message, reason=Reason.OUTPUT_INVALID)
