"""Feed: what the daemon is doing, asked once for all browsers, and only while one of them looks.

A browser gets the whole first, then what changed. One that reads slowly misses what lies between;
it always gets the newest.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from zssr_daemon.web.daemon_link import DaemonAwayError, DaemonLink
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.web.reasons import explained

_POLL_S = 0.5
_COMMENT_S = 15.0
_ROWS = 50

#: The rate and the time left of a snapshot age, though no list changes.
_REFRESH_S = 10.0
_MIN_SNAPSHOT_S = 1.0

#: What a browser is told before the daemon has ever answered.
_NOTHING: dict[str, Any] = {
    "status": None,
    "settling": [],
    "queued": [],
    "done": [],
    "failed": [],
    "counts": dict.fromkeys(("settling", "queued", "running", "done", "failed"), 0),
    "done_last_hour": 0,
    "empty_in_s": None,
    "daemon": "away",
    "error": None,
}


class Feed:
    """The newest snapshot and status, and the streams that tell them."""

    def __init__(self, link: DaemonLink, bounds: Bounds) -> None:
        self._link = link
        self._max_streams = bounds.max_streams
        self._streams = 0
        self._poller: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._is_closed = False
        self._versions = {"snapshot": 0, "status": 0}
        self._texts = {"snapshot": "", "status": ""}
        self._snapshot = _NOTHING
        self._is_away: bool | None = None  # None until the poller has looked
        self._status: dict[str, Any] = {}
        self._lists: object = None  # what the snapshot's lists were, as far as a status tells it
        self._snapshot_at = 0.0

    async def stream(self, _request: Request) -> Response:
        """Answer with a stream of events."""
        if self._streams >= self._max_streams:
            raise RefusedError(503, "too many browsers look already", "try again in a moment")
        headers = {"X-Accel-Buffering": "no"}  # a reverse proxy hands each event on at once
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=headers)

    async def close(self) -> None:
        """End all streams, as when the page is stopped."""
        self._is_closed = True
        async with self._changed:
            self._changed.notify_all()

    async def _events(self) -> AsyncIterator[str]:
        self._streams += 1
        try:
            told = self._begin()
            while not self._is_closed:
                kind = await self._news(told)
                if kind is None:
                    self._check_poller()
                    yield ": still here\n\n"
                    continue
                told["status"] = self._versions["status"]
                told[kind] = self._versions[kind]
                yield self._texts[kind]
        finally:
            self._streams -= 1
            self._end()

    def _begin(self) -> dict[str, int]:
        """Look from now on; return which versions a new stream need not be told."""
        if self._poller is None:
            self._is_away = None
            self._poller = asyncio.create_task(self._poll())
        told = dict(self._versions)
        if self._is_away is not None:
            told["snapshot"] -= 1
        return told

    def _check_poller(self) -> None:
        """Let a fault of the poller end the streams, so that browsers begin again."""
        if self._poller is not None and self._poller.done():
            self._poller.result()

    def _end(self) -> None:
        """Look no longer where nobody does."""
        if self._streams == 0 and self._poller is not None:
            self._poller.cancel()
            self._poller = None

    async def _news(self, told: dict[str, int]) -> str | None:
        """Wait for something newer than what was told; None: nothing came for a while."""

        def kind() -> str | None:
            newer = (name for name, version in self._versions.items() if version > told[name])
            return next(newer, None)

        async with self._changed:
            with suppress(TimeoutError):
                async with asyncio.timeout(_COMMENT_S):
                    await self._changed.wait_for(lambda: self._is_closed or kind() is not None)
            return kind()

    async def _poll(self) -> None:
        """Ask the daemon again and again; a failure is told once, and so is its end."""
        while True:
            try:
                await self._look()
            except DaemonAwayError as error:
                if not self._is_away:
                    self._is_away = True
                    self._snapshot = self._snapshot | {"daemon": "away", "error": str(error)}
                    await self._tell("snapshot", self._snapshot)
            await asyncio.sleep(_POLL_S)

    async def _look(self) -> None:
        status = (await self._ask(command="status"))["status"]
        age_s = time.monotonic() - self._snapshot_at
        is_other = _lists(status) != self._lists and age_s >= _MIN_SNAPSHOT_S
        if self._is_away is not False or is_other or age_s >= _REFRESH_S:
            await self._take_snapshot()
        elif status != self._status:
            self._status = status
            await self._tell("status", _with_pause_in_words(status))

    async def _take_snapshot(self) -> None:
        found = await self._ask(command="snapshot", limit=_ROWS)
        self._status = found["status"]
        self._lists = _lists(self._status)
        self._snapshot_at = time.monotonic()
        self._is_away = False
        lists = {name: list(map(explained, found[name])) for name in ("queued", "done", "failed")}
        status = {"status": _with_pause_in_words(self._status)}
        # `now` tells a browser how far its clock is from ours, by which it counts seconds.
        told = {"daemon": "running", "error": None, "now": time.time()}
        self._snapshot = found | lists | status | told
        await self._tell("snapshot", self._snapshot)

    async def _ask(self, **request: Any) -> dict[str, Any]:
        """Ask; a daemon that knows no such question is another version, and as good as away.

        Raises:
            DaemonAwayError: it is away.
        """
        reply = await self._link.ask(**request)
        if "error" in reply:
            raise DaemonAwayError(str(reply["error"]))
        return reply

    async def _tell(self, kind: str, data: dict[str, Any]) -> None:
        self._texts[kind] = f"event: {kind}\ndata: {json.dumps(data)}\n\n"
        async with self._changed:
            self._versions[kind] += 1
            self._changed.notify_all()


def routes(feed: Feed) -> list[Route]:
    """Return the one route."""
    return [Route("/events", feed.stream)]


def _lists(status: dict[str, Any]) -> object:
    """Return what changes in a status when a list of the snapshot does."""
    running = [job["job_id"] for job in status["jobs"]]
    return status["settling"], status["queued"], status["failed"], running


def _with_pause_in_words(status: dict[str, Any]) -> dict[str, Any]:
    pause = status.get("pause")
    return status | {"pause": explained(pause)} if pause else status
