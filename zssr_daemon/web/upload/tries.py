"""Tries: a part of a picture that is enlarged eight times, at once, and forgotten after a day."""

import asyncio
import struct

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zssr_daemon.web.context import WebContext
from zssr_daemon.web.daemon_link import DaemonAwayError
from zssr_daemon.web.guard.body import read_small
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.web.upload.batches import PLACE
from zssr_daemon.web.upload.choices import TRY_PROFILE
from zssr_daemon.web.upload.disk import check_space, disk_faults_in_words
from zssr_daemon.web.upload.incoming_file import IncomingFile

MAX_TRY_BYTES = 1_000_000
MAX_TRY_SIDE = 128
_NAME = "part.png"
_RESULT_KEPT_S = 24 * 3600

#: Before the pictures of the inbox.
_LANE = 1

_PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def routes(context: WebContext) -> list[Route]:
    """Return the one route."""
    return [Route("/tries", Tries(context).begin, methods=["POST"])]


class Tries:
    """Takes parts of pictures."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._batches = context.batches

    async def begin(self, request: Request) -> Response:
        """Put a part into the inbox, and have the daemon take it before all others."""
        part = await read_small(request, MAX_TRY_BYTES, self._context.bounds.body_s)
        _check(part)
        settings = self._context.settings
        with disk_faults_in_words():
            check_space(settings.folders.inbox, len(part), settings.limits.min_free_disk_bytes)
            image = await asyncio.to_thread(self._store, part)
        try:
            await self._context.link.granted(
                command="admit", image=image, lane=_LANE, result_kept_s=_RESULT_KEPT_S
            )
        except (DaemonAwayError, RefusedError):
            await asyncio.to_thread(self._forget, image)
            raise
        return JSONResponse({"image": image}, status_code=201)

    def _store(self, part: bytes) -> str:
        batch = self._batches.make(TRY_PROFILE, is_try=True)
        image = f"{PLACE}/{batch}/{_NAME}"
        incoming = IncomingFile(self._context.settings.folders.inbox / image)
        try:
            incoming.write(part)
            incoming.finish()
        finally:
            incoming.close()
        return image

    def _forget(self, image: str) -> None:
        (self._context.settings.folders.inbox / image).unlink(missing_ok=True)


def _check(part: bytes) -> None:
    """Look at the size that a PNG says it has; its pixels are for the daemon's probe.

    Raises:
        RefusedError: it is no PNG, or not small.
    """
    if not part.startswith(_PNG_HEAD) or len(part) < 24:
        raise RefusedError(415, "a part is sent as PNG")
    width, height = struct.unpack_from(">II", part, 16)
    if not (0 < width <= MAX_TRY_SIDE and 0 < height <= MAX_TRY_SIDE):
        raise RefusedError(413, f"a part has at most {MAX_TRY_SIDE} pixels a side")
