"""Guards: what stands around every decoder, so that a file's fault ends as a reason."""

import os
import struct
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from PIL import Image, UnidentifiedImageError

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import jpeg_segments
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.pillow import pixel_limit
from zssr_daemon.imaging.truncation import ends_early

# Start-of-frame markers of lossless and hierarchical JPEGs, and of JPEG-LS.
_ODD_JPEG_FRAMES: Final = frozenset(
    bytes([code]) for code in b"\xc3\xc5\xc6\xc7\xcb\xcd\xce\xcf\xf7"
)


@contextmanager
def bomb_guard(limits: ImageLimits) -> Iterator[None]:
    """Refuse pictures of more than `max_input_pixels`; other warnings of decoders are dropped."""
    with pixel_limit(limits.max_input_pixels), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged metadata never fails an image
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def quiet_libraries() -> Iterator[None]:
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
def decoder_faults(data: bytes, format_name: str) -> Iterator[None]:
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
    if format_name == "JPEG" and _is_odd_jpeg(data):
        message = "a JPEG of a kind that is not read (lossless, JPEG-LS, hierarchical)"
        return ImageError(message, reason=Reason.UNSUPPORTED_FORMAT)
    return ImageError(f"damaged {format_name}: {error}", reason=Reason.CORRUPT)


def _is_odd_jpeg(data: bytes) -> bool:
    """Tell whether a JPEG's own frame header says that its coding is another one."""
    with suppress(IndexError, struct.error):
        return any(part.name in _ODD_JPEG_FRAMES for part in jpeg_segments(data))
    return False
