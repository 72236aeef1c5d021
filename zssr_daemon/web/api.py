"""Api: the jobs as JSON, and what can be done with them."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from zssr_daemon.errors import Reason
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.guard.body import read_json
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.web.reasons import explained

_ID = re.compile(r"[0-9a-f]{32}")
_PAGE = 100
_MAX_BELOW = 1000

#: Jobs that one request retries or cancels, and errors that its answer names.
_MAX_AT_ONCE = 20_000
_MAX_ERRORS = 100

#: Where the file of a failed job must be, so that it can come back.
_THERE = frozenset({"failed", "keep"})

#: Why a job that was stopped has failed; whoever retries failed jobs does not mean these.
_CANCELLED = str(Reason.CANCELLED)

Row = dict[str, Any]


def routes(context: WebContext) -> list[Route]:
    """Return a route for each."""
    api = Api(context)
    return [
        Route("/api/jobs", api.jobs),
        Route("/api/jobs/{id}", api.job),
        Route("/api/jobs/{id}/retry", api.retry, methods=["POST"]),
        Route("/api/jobs/{id}/cancel", api.cancel, methods=["POST"]),
        Route("/api/retry-failed", api.retry_failed, methods=["POST"]),
        Route("/api/cancel-queued", api.cancel_queued, methods=["POST"]),
    ]


class Api:
    """Hands questions on to the daemon."""

    def __init__(self, context: WebContext) -> None:
        self._link = context.link
        self._bounds = context.bounds
        self._one_at_a_time = asyncio.Lock()

    async def jobs(self, request: Request) -> Response:
        """List jobs, a page at a time."""
        asked = request.query_params
        limit = asked.get("limit", str(_PAGE))
        if not re.fullmatch(r"\d{1,4}", limit):
            raise RefusedError(400, "limit is no number")
        reply = await self._link.granted(
            command="jobs",
            state=asked.get("state") or None,
            below=_below(asked.get("below")),
            after=asked.get("after") or None,
            limit=min(max(int(limit), 1), _PAGE),
        )
        return JSONResponse(reply | {"jobs": list(map(explained, reply["jobs"]))})

    async def job(self, request: Request) -> Response:
        """Show one job with its settings."""
        reply = await self._link.granted(command="job", job_id=_id(request))
        reply["job"].pop("paths", None)  # of our disk, and not always text
        return JSONResponse({"job": explained(reply["job"])})

    async def retry(self, request: Request) -> Response:
        """Bring a failed job back."""
        return JSONResponse(await self._link.granted(command="retry", job_id=_id(request)))

    async def cancel(self, request: Request) -> Response:
        """Stop a job that is queued or running."""
        return JSONResponse(await self._link.granted(command="cancel", job_id=_id(request)))

    async def retry_failed(self, request: Request) -> Response:
        """Bring all failed jobs back, or those below a folder; with `cancelled`, those instead."""
        asked = await read_json(request, self._bounds)
        is_cancelled = asked.get("cancelled") is True
        return await self._each(
            "retry",
            "failed",
            _below(asked.get("below")),
            lambda row: row["disposal"] in _THERE and (row["reason"] == _CANCELLED) is is_cancelled,
        )

    async def cancel_queued(self, request: Request) -> Response:
        """Stop all queued jobs, or those below a folder."""
        below = _below((await read_json(request, self._bounds)).get("below"))
        return await self._each("cancel", "queued", below, lambda _row: True)

    async def _each(
        self, command: str, state: str, below: str | None, is_meant: Callable[[Row], bool]
    ) -> Response:
        """Do one thing to the jobs of a state that are meant; what cannot be done is named."""
        if self._one_at_a_time.locked():
            raise RefusedError(409, "another such order is being carried out", "wait for its end")
        async with self._one_at_a_time:
            done, errors = 0, []
            for row in filter(is_meant, await self._all(state, below)):
                reply = await self._link.ask(command=command, job_id=row["id"])
                if "error" in reply:
                    errors.append({"id": row["id"], "image": row["image"], "error": reply["error"]})
                else:
                    done += 1
        return JSONResponse({"done": done, "errors": errors[:_MAX_ERRORS]})

    async def _all(self, state: str, below: str | None) -> list[Row]:
        """Return the rows of every job of a state; all are known before the first is touched."""
        rows: list[Row] = []
        after = None
        while len(rows) < _MAX_AT_ONCE:
            reply = await self._link.granted(
                command="jobs", state=state, below=below, after=after, limit=_PAGE
            )
            rows += reply["jobs"]
            after = reply["next"]
            if after is None:
                break
        return rows


def _id(request: Request) -> str:
    found: str = request.path_params["id"]
    if not _ID.fullmatch(found):
        raise RefusedError(404, "there is no such job")
    return found


def _below(text: object) -> str | None:
    """Return the folder that is meant, None for the whole inbox."""
    if text is None or text == "":
        return None
    if not isinstance(text, str) or len(text) > _MAX_BELOW:
        raise RefusedError(400, "below is no folder")
    return text
