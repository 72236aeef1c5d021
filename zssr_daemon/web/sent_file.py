"""SentFile: a file of the folders that is streamed to the browser; it is never decoded."""

import base64
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from starlette.responses import StreamingResponse

from zssr_daemon.errors import ImageError
from zssr_daemon.system.safe_open import open_source

#: A multiple of three, so that blocks in base64 can follow each other.
_BLOCK_BYTES: Final = 3 << 18


def open_below(root: Path, rel: str) -> BinaryIO | None:
    """Open a regular file below `root`; None where there is none, or a link leads elsewhere."""
    try:
        return os.fdopen(open_source(root, rel), "rb")
    except (ImageError, OSError):
        return None


def download(stream: BinaryIO, name: str) -> StreamingResponse:
    """Send the rest of a file, to be kept under `name`."""
    size = os.fstat(stream.fileno()).st_size
    return StreamingResponse(
        _blocks(stream),
        media_type="application/octet-stream",
        headers={"Content-Length": str(size), "Content-Disposition": attachment(name)},
    )


def as_base64(stream: BinaryIO) -> StreamingResponse:
    """Send the rest of a file as base64 text, as the article's page did."""
    size = os.fstat(stream.fileno()).st_size
    return StreamingResponse(
        (base64.b64encode(block) for block in _blocks(stream)),
        media_type="text/plain; charset=us-ascii",
        headers={"Content-Length": str(4 * ((size + 2) // 3))},
    )


def attachment(name: str) -> str:
    """Return the header that has a browser save what comes, under `name`, and not show it."""
    plain = "".join(
        letter if 32 <= ord(letter) < 127 and letter not in '"\\%' else "_" for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(os.fsencode(name), safe='')}"


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    with closing(stream):
        while block := stream.read(_BLOCK_BYTES):
            yield block
