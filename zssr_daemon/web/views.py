"""Views: what the browser shows and fetches of one job: parts of both pictures, result, report."""

import re
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from zssr_daemon.errors import ImageError
from zssr_daemon.protocol.attempt_files import companion_rel
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.web.batch_zip import files_of, zipped
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.cut_order import MAX_SIDE, CutOrder, PictureFile
from zssr_daemon.web.sent_file import as_base64, attachment, download, open_below

#: An origin of its own: its script cannot reach the page's cookie, and nothing is fetched.
_REPORT_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'"
)

_BATCH: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_NUMBER: Final = re.compile(r"\d{1,9}")

_GONE: Final = "this file is no longer in its folder"
_NO_RESULT: Final = "this job has no result"


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
        self._context = context
        self._folders = context.settings.folders

    async def crop(self, request: Request) -> Response:
        """Answer with a part of source or result as a PNG; x, y, w and h are output pixels."""
        numbers = [request.query_params.get(name, "") for name in ("x", "y", "w", "h")]
        if not all(_NUMBER.fullmatch(number) for number in numbers):
            return _refusal(400, "x, y, w and h must be whole numbers")
        x, y, width, height = map(int, numbers)
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
            return _refusal(400, f"a part has at most {MAX_SIDE} × {MAX_SIDE} pixels")
        job = await self._job(request)
        if job is None or job["paths"]["out_rel"] is None:
            return _refusal(404, _NO_RESULT)
        result = PictureFile(root=str(self._folders.output), rel=job["paths"]["out_rel"])
        source = None
        if request.query_params.get("side") == "source":
            source = self._source(job)
            if source is None:
                return _refusal(404, "the source was deleted after its success, as the settings ask")
        order = CutOrder(result=result, source=source, box=(x, y, x + width, y + height))
        try:
            png = await self._context.cutter.cut(order)
        except ImageError as error:
            return _refusal(404, str(error))
        return Response(png, media_type="image/png", headers={"Cache-Control": "private, max-age=60"})

    async def result(self, request: Request) -> Response:
        """Send the result, as a file or as base64."""
        job = await self._job(request)
        rel = job and job["paths"]["out_rel"]
        if not rel:
            return _refusal(404, _NO_RESULT)
        stream = await run_in_threadpool(open_below, self._folders.output, rel)
        if stream is None:
            return _refusal(404, _GONE)
        if request.query_params.get("encoding") == "base64":
            return as_base64(stream)
        return download(stream, Path(rel).name)

    async def report(self, request: Request) -> Response:
        """Show the report of a job, shut off from the page."""
        job = await self._job(request)
        rel = job and job["paths"]["out_rel"]
        if not rel:
            return _refusal(404, _NO_RESULT)
        name = companion_rel(rel, Path(REPORT).with_suffix(REPORT))
        stream = await run_in_threadpool(open_below, self._folders.output, name)
        if stream is None:
            return _refusal(404, "this job wrote no report: [output] report was false")
        with stream:
            text = await run_in_threadpool(stream.read)
        headers = {"Content-Security-Policy": _REPORT_POLICY}
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    async def batch(self, request: Request) -> Response:
        """Send all outputs of a batch as one zip file."""
        batch = request.path_params["batch"]
        if not _BATCH.fullmatch(batch):
            return _refusal(404, "there is no such batch")
        folder = self._folders.output / "web" / batch
        names = await run_in_threadpool(files_of, folder)
        if not names:
            return _refusal(404, "no picture of this batch is done yet")
        return StreamingResponse(
            zipped(folder, names),
            media_type="application/zip",
            headers={"Content-Disposition": attachment(f"{batch}.zip")},
        )

    async def _job(self, request: Request) -> dict[str, Any] | None:
        """Ask the daemon for the job that the address names; None where there is none."""
        reply = await self._context.link.ask(command="job", job_id=request.path_params["job_id"])
        job: dict[str, Any] | None = reply.get("job")
        return job

    def _source(self, job: dict[str, Any]) -> PictureFile | None:
        """Return where the source of a job lies now; None where it was deleted."""
        match job["disposal"]:
            case "archive":
                return PictureFile(root=str(self._folders.archive), rel=job["paths"]["disposal_rel"])
            case "failed":
                return PictureFile(root=str(self._folders.failed), rel=job["paths"]["disposal_rel"])
            case "delete":
                return None
        return PictureFile(root=str(self._folders.inbox), rel=job["paths"]["src_rel"])


def _refusal(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence, "cure": None}, status)
