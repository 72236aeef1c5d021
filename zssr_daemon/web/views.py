"""Views: what the browser shows and fetches of one job: parts of both pictures, result, report."""

import re
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from zssr_daemon.errors import ImageError
from zssr_daemon.protocol.attempt_files import companion_rel
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.web.batch_zip import files_of, zipped
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.cut_order import MAX_SIDE, CutOrder, PictureFile
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.web.sent_file import as_base64, attachment, download, open_below
from zssr_daemon.web.upload.batches import PLACE

#: An origin of its own: its script cannot reach the page's cookie, and nothing is fetched.
_REPORT_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)

_BATCH: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_NUMBER: Final = re.compile(r"\d{1,9}")

#: How long a browser may show a part again without asking.
_SHOWN_AGAIN: Final = "private, max-age=60"


def routes(context: WebContext) -> list[Route]:
    """Return the routes of the views."""
    views = _Views(context)
    return [
        Route("/jobs/{job_id}/crop", views.crop),
        Route("/jobs/{job_id}/result", views.result),
        Route("/jobs/{job_id}/report", views.report),
        Route("/batches/{batch}.zip", views.batch),
    ]


class _Views:
    """The endpoints; each asks the daemon where the files of the job lie."""

    def __init__(self, context: WebContext) -> None:
        self._link = context.link
        self._cutter = context.cutter
        self._folders = context.settings.folders

    async def crop(self, request: Request) -> Response:
        """Answer with a part of source or result as a PNG; x, y, w and h are output pixels."""
        box = _box(request)
        job = await self._job(request)
        result = PictureFile(root=str(self._folders.output), rel=job["paths"]["out_rel"])
        is_source = request.query_params.get("side") == "source"
        source = self._source(job) if is_source else None
        try:
            png = await self._cutter.cut(CutOrder(result=result, source=source, box=box))
        except ImageError as error:
            raise RefusedError(404, str(error)) from error
        return Response(png, media_type="image/png", headers={"Cache-Control": _SHOWN_AGAIN})

    async def result(self, request: Request) -> Response:
        """Send the result, as a file or as base64."""
        rel = (await self._job(request))["paths"]["out_rel"]
        stream = await run_in_threadpool(open_below, self._folders.output, rel)
        if stream is None:
            raise RefusedError(404, "the result is no longer in the output folder")
        if request.query_params.get("encoding") == "base64":
            return as_base64(stream)
        return download(stream, Path(rel).name)

    async def report(self, request: Request) -> Response:
        """Show the report of a job, shut off from the page."""
        rel = (await self._job(request))["paths"]["out_rel"]
        name = companion_rel(rel, REPORT)
        stream = await run_in_threadpool(open_below, self._folders.output, name)
        if stream is None:
            cure = "choose 'report' when you drop pictures, or set [output] report = true"
            raise RefusedError(404, "there is no report of this job", cure)
        with stream:
            text = await run_in_threadpool(stream.read)
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    async def batch(self, request: Request) -> Response:
        """Send all outputs of a batch as one zip file."""
        batch = request.path_params["batch"]
        folder = self._folders.output / PLACE / batch
        names = await run_in_threadpool(files_of, folder) if _BATCH.fullmatch(batch) else []
        if not names:
            raise RefusedError(404, "no picture of this batch is done")
        return StreamingResponse(
            zipped(folder, names),
            media_type="application/zip",
            headers={"Content-Disposition": attachment(f"{batch}.zip")},
        )

    async def _job(self, request: Request) -> dict[str, Any]:
        """Ask the daemon for the job that the address names, which has a result."""
        reply = await self._link.granted(command="job", job_id=request.path_params["job_id"])
        job: dict[str, Any] = reply["job"]
        if job["state"] != "done":
            raise RefusedError(404, f"this job has no result: it is {job['state']}")
        return job

    def _source(self, job: dict[str, Any]) -> PictureFile:
        """Return where the source of a job that is done lies now."""
        paths = job["paths"]
        match job["disposal"]:
            case "archive":
                return PictureFile(root=str(self._folders.archive), rel=paths["disposal_rel"])
            case "delete":
                cure = '[output] on_success = "archive" keeps sources'
                raise RefusedError(404, "the source was deleted when its result was done", cure)
        return PictureFile(root=str(self._folders.inbox), rel=paths["src_rel"])


def _box(request: Request) -> tuple[int, int, int, int]:
    numbers = [request.query_params.get(name, "") for name in ("x", "y", "w", "h")]
    if not all(_NUMBER.fullmatch(number) for number in numbers):
        raise RefusedError(400, "x, y, w and h must be whole numbers of pixels")
    x, y, width, height = map(int, numbers)
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise RefusedError(400, f"a part has 1 to {MAX_SIDE} pixels a side")
    return x, y, x + width, y + height
