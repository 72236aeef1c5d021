"""Vips: libvips on one thread and without a cache; arrays go in, samples and files come out."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

import numpy as np
import pyvips
from numpy.typing import NDArray

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import PNG_PIXELS, png_with_only

# A worker's cores are for torch. The probe's address space is limited, and each thread takes some.
pyvips.concurrency_set(1)
pyvips.cache_set_max(0)
# Everything it logs about a file is in the exception too.
logging.getLogger("pyvips").setLevel(logging.CRITICAL)

_FORMATS: Final = {
    np.dtype(kind): name
    for kind, name in (
        (np.uint8, "uchar"),
        (np.uint16, "ushort"),
        (np.uint32, "uint"),
        (np.int8, "char"),
        (np.int16, "short"),
        (np.int32, "int"),
        (np.float32, "float"),
    )
}

# Without an interpretation libvips guesses: it takes 16-bit samples for sRGB or for no colour.
_MEANINGS: Final = {
    ("uchar", False): "b-w",
    ("uchar", True): "srgb",
    ("ushort", False): "grey16",
    ("ushort", True): "rgb16",
}


def from_samples(samples: NDArray[np.generic]) -> Any:
    """Wrap (H, W, C) contiguous samples of any real type up to 32 bits, without copying them.

    Only up to four samples a pixel of 8 or 16 bits, unsigned, are named as colours and alpha.
    """
    height, width, bands = samples.shape
    kind = _FORMATS[samples.dtype]
    image = pyvips.Image.new_from_memory(samples.data, width, height, bands, kind)
    meaning = _MEANINGS.get((kind, bands > 2), "multiband") if bands <= 4 else "multiband"
    return image.copy(interpretation=meaning)


def open_lossless(data: Any, format_name: str, *, page: int = 0) -> Any:
    """Open the PNG or TIFF in `data` (bytes or a map) as an image that is read row by row.

    Raises pyvips.Error for damage, at the latest when the pixels are read.
    """
    if format_name == "PNG":
        return pyvips.Image.pngload_buffer(data, access="sequential", fail_on="warning")
    return pyvips.Image.tiffload_buffer(data, access="sequential", fail_on="warning", page=page)


def read_samples(
    data: bytes, format_name: str, *, max_pixels: int, page: int = 0
) -> NDArray[np.generic]:
    """Return the samples of a 16-bit PNG, or of a page of a TIFF: (H, W, C) in their own type.

    A colour key of a PNG has become alpha. The orientation is not applied. Raises ImageError
    (`too_many_pixels`) before any pixel is decoded, or (`unsupported_format`) for a compression
    that is not known; pyvips.Error for damage.
    """
    if format_name == "PNG":  # a warning about a chunk without pixels would count as damage
        data = png_with_only(data, PNG_PIXELS)
    image = open_lossless(data, format_name, page=page)
    if image.width * image.height > max_pixels:
        message = f"{image.width * image.height} pixels, more than the limit of {max_pixels}"
        raise ImageError(message, reason=Reason.TOO_MANY_PIXELS)
    try:
        samples: NDArray[np.generic] = np.atleast_3d(image.numpy())
    except pyvips.Error as error:
        if "support is not configured" not in str(error):
            raise
        message = f"a {format_name} that is compressed in a way that is not supported"
        raise ImageError(message, reason=Reason.UNSUPPORTED_FORMAT) from error
    return samples


@contextmanager
def file_target(file: BinaryIO, write: Callable[[bytes], object]) -> Iterator[Any]:
    """Give libvips a target that passes every block to `write`, which puts it into `file`.

    What `write` raises ends libvips's call and comes out of this one unchanged.
    """
    faults: list[BaseException] = []

    def guarded(call: Callable[[], int]) -> int:
        try:
            return call()
        except BaseException as error:  # noqa: BLE001 (it cannot pass through C; raised below)
            faults.append(error)
            return -1

    def on_write(block: Any) -> int:
        data = bytes(block)

        def call() -> int:
            write(data)
            return len(data)

        return guarded(call)

    target = pyvips.TargetCustom()
    target.on_write(on_write)
    target.on_read(file.read)
    target.on_seek(lambda offset, whence: guarded(lambda: file.seek(offset, whence)))
    try:
        yield target
        file.flush()
    except pyvips.Error as error:
        raise (faults[0] if faults else error) from error
