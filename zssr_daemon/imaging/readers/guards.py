"""Guards: what stands around every decoder, so that a file's fault ends as a reason."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.pillow import pixel_limit
from zssr_daemon.imaging.truncation import ends_early


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
    return ImageError(f"damaged {format_name}: {error}", reason=Reason.CORRUPT)
