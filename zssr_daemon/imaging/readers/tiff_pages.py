"""TiffPages: which pages of a TIFF are pictures, and which only come with one."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import (
    TIFF_KIND,
    TIFF_OLD_KIND,
    Buffer,
    TiffDirectory,
    tiff_directories,
    tiff_sub_directories,
)
from zssr_daemon.imaging.readers.camera_raw import tiff_raw

_CODING: Final = 259
_WEBP: Final = (50001,)

# Bits of NewSubfileType, and the value of SubfileType that says the same as the first.
_REDUCED: Final = 1
_MASK: Final = 4
_OLD_REDUCED: Final = 2


@dataclass(frozen=True, slots=True)
class TiffPages:
    """The pages that are pictures, counted from 0, and a note about what is left out, if any."""

    pictures: tuple[int, ...]
    webp: frozenset[int]  # the pages whose pixels are coded as WebP
    note: str | None


def tiff_pages(data: Buffer) -> TiffPages:
    """Tell pictures from thumbnails, overviews and masks by what each page says of itself.

    A file whose pages all call themselves reduced has no larger picture than these, so they count.

    Raises ImageError: `unsupported_raw` for camera raw; `unsupported_format` where the larger
    picture lies below a page (SubIFD); `truncated` where a page lies beyond the end of the file.
    """
    try:
        pages = tiff_directories(data)
    except (IndexError, struct.error) as error:
        message = "a page lies beyond the end of the file"
        raise ImageError(message, reason=Reason.TRUNCATED) from error
    below = tiff_sub_directories(data, pages)
    raw = tiff_raw(pages + below)
    if raw is not None:
        raise raw.fault()
    pictures = tuple(number for number, page in enumerate(pages) if _extra_kind(page) is None)
    if not pictures and any(_extra_kind(each) is None for each in below):
        message = "a TIFF of a thumbnail whose picture lies in a SubIFD: save it anew first"
        raise ImageError(message, reason=Reason.UNSUPPORTED_FORMAT)
    webp = frozenset(number for number, page in enumerate(pages) if page.get(_CODING) == _WEBP)
    if not pictures:
        return TiffPages(tuple(range(len(pages))), webp, None)
    left_out = [kind for each in pages + below if (kind := _extra_kind(each)) is not None]
    return TiffPages(pictures, webp, _note(pictures, len(pages), left_out))


def _extra_kind(directory: TiffDirectory) -> str | None:
    """Name what a page is when it is no picture of its own."""
    bits = _first(directory, TIFF_KIND)
    if bits & _MASK:
        return "mask"
    if bits & _REDUCED or _first(directory, TIFF_OLD_KIND) == _OLD_REDUCED:
        return "reduced copy"
    return None


def _first(directory: TiffDirectory, tag: int) -> int:
    values = directory.get(tag, ())
    return values[0] if values else 0


def _note(pictures: tuple[int, ...], pages: int, left_out: Sequence[str]) -> str | None:
    if not left_out:
        return None
    kinds = [f"{left_out.count(kind)} × {kind}" for kind in dict.fromkeys(left_out)]
    taken = f"page {pictures[0]} of {pages} taken, " if len(pictures) == 1 and pages > 1 else ""
    return f"{taken}left out: {', '.join(kinds)}"
