"""Upload: a file from a browser into the inbox, as durable as an answer of 201 says."""

import asyncio
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zssr_daemon.imaging.formats import HEAD_BYTES, sniff_format
from zssr_daemon.imaging.unread import unread_format
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.guard.body import read_json
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.web.upload.choices import profile_of
from zssr_daemon.web.upload.disk import check_space, disk_faults_in_words
from zssr_daemon.web.upload.incoming_file import IncomingFile
from zssr_daemon.web.upload.names import UploadNames

_PIECE_BYTES = 1 << 18  # written at once, by a thread
_SPACE_EVERY_BYTES = 1 << 24  # of a body of unknown length


def routes(context: WebContext) -> list[Route]:
    """Return the routes by which files come in."""
    uploads = Uploads(context)
    return [
        Route("/batches", uploads.begin, methods=["POST"]),
        # The name is read from the path as it was sent, so that %2F in it stays what it is.
        Route("/batches/{batch}/files/{name:path}", uploads.put, methods=["PUT"]),
    ]


class Uploads:
    """Takes batches and their files."""

    def __init__(self, context: WebContext) -> None:
        self._settings = context.settings
        self._bounds = context.bounds
        self._batches = context.batches
        self._names = UploadNames(context.settings.watch.ignore)
        self._turns = asyncio.Semaphore(context.bounds.max_uploads)
        self._log = logs.get_logger()

    async def begin(self, request: Request) -> Response:
        """Make a batch from what was chosen."""
        profile = profile_of(await read_json(request, self._bounds))
        with disk_faults_in_words():
            check_space(self._settings.folders.inbox, 0, self._min_free_bytes)
            batch = await asyncio.to_thread(self._batches.make, profile)
        return JSONResponse({"batch": batch}, status_code=201)

    async def put(self, request: Request) -> Response:
        """Take one file."""
        if self._turns.locked():
            error = f"{self._bounds.max_uploads} files are on their way already"
            raise RefusedError(429, error, "send it again", headers={"Retry-After": "2"})
        async with self._turns:
            with disk_faults_in_words():
                return await self._take(request)

    @property
    def _min_free_bytes(self) -> int:
        return self._settings.limits.min_free_disk_bytes

    async def _take(self, request: Request) -> Response:
        final = await self._place(request)
        incoming = await asyncio.to_thread(IncomingFile, final)
        try:
            size = await self._receive(request, incoming, final.suffix.lower())
            await asyncio.to_thread(incoming.finish)
        except FileExistsError as error:
            raise _taken(final.name) from error
        except ClientDisconnect:
            return Response(status_code=499)  # to nobody
        finally:
            incoming.close()
        image = printable(str(final.relative_to(self._settings.folders.inbox)))
        client = request.client.host if request.client else ""
        self._log.info(Events.WEB_UPLOADED, image=image, bytes=size, client=client)
        return JSONResponse({"image": image}, status_code=201)

    async def _place(self, request: Request) -> Path:
        """Return where the file goes, after all that can be refused before its body.

        Raises:
            RefusedError: it is refused.
        """
        parts = request.scope["raw_path"].split(b"/")
        if len(parts) != 5:
            raise RefusedError(400, "a file has a name without '/'", "folders go into X-Rel-Dir")
        name = self._names.file(parts[4])
        folders = self._names.folders(request.headers.get("x-rel-dir", ""))
        self._check_size(int(request.headers.get("content-length", "0")))
        batch = request.path_params["batch"]
        folder = await asyncio.to_thread(self._batches.folder, batch, folders)
        final: Path = folder / name
        if final.exists() or final.is_symlink():
            raise _taken(name)
        await asyncio.to_thread(self._batches.count, batch)
        return final

    def _check_size(self, length: int) -> None:
        most = self._settings.max_upload_bytes
        if length > most:
            cure = "put it into the inbox folder itself, or raise [web] max_upload_bytes"
            raise RefusedError(413, f"the file has more than {most} bytes", cure)
        check_space(self._settings.folders.inbox, length, self._min_free_bytes)

    async def _receive(self, request: Request, incoming: IncomingFile, ending: str) -> int:
        """Write the body to its part, and return its length.

        Raises:
            RefusedError: it is no picture, too large, too slow, or the disk fills up.
        """
        piece = bytearray()
        size = written = 0
        async for chunk in request.stream():
            size += len(chunk)
            piece += chunk
            if size // _SPACE_EVERY_BYTES > (size - len(chunk)) // _SPACE_EVERY_BYTES:
                self._check_size(0)
            if size > self._settings.max_upload_bytes:
                self._check_size(size)
            if len(piece) >= _PIECE_BYTES:
                written += await _write(incoming, piece, ending if written == 0 else None)
        if piece or not written:
            await _write(incoming, piece, ending if written == 0 else None)
        return size


async def _write(incoming: IncomingFile, piece: bytearray, ending: str | None) -> int:
    """Write a piece and empty it; the first of a file is looked at before.

    Raises:
        RefusedError: its beginning is not that of a picture that is read.
    """
    if ending is not None:
        _check_head(bytes(piece[:HEAD_BYTES]), ending)
    length = len(piece)
    await asyncio.to_thread(incoming.write, bytes(piece))
    piece.clear()
    return length


def _check_head(head: bytes, ending: str) -> None:
    if not head:
        raise RefusedError(415, "the file is empty")
    if sniff_format(head, ending=ending) is None:
        unread = unread_format(head)
        error = str(unread.fault()) if unread else "the content is no picture that is read"
        raise RefusedError(415, error)


def _taken(name: str) -> RefusedError:
    cure = "rename the file, or begin a new batch"
    return RefusedError(409, f"{name}: the same name is already there", cure)
