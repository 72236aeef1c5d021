"""Content of a file: read into memory once, and told by its bytes."""

import os

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.formats import (
    ALLOWED_FORMATS,
    HEAD_BYTES,
    TAIL_BYTES,
    ImageLimits,
    sniff_format,
)
from zssr_daemon.imaging.unread import unread_format


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


def format_of(data: bytes, limits: ImageLimits) -> str:
    """Name the format of the file in `data`, by its content.

    Raises ImageError: `truncated` for an empty file, `unsupported_format` or `unsupported_raw`.
    """
    if not data:
        raise ImageError("the file is empty", reason=Reason.TRUNCATED)
    unread = unread_format(data[:HEAD_BYTES])
    if unread is not None:
        raise unread.fault()
    tail = data[-TAIL_BYTES:]
    format_name = sniff_format(data[:HEAD_BYTES], tail=tail, ending=limits.ending)
    if format_name is None:
        allowed = ", ".join(ALLOWED_FORMATS)
        raise ImageError(f"the content is none of {allowed}", reason=Reason.UNSUPPORTED_FORMAT)
    return format_name
