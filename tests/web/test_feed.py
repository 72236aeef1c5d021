"""Feed: one poller for all browsers; the whole first, then what changes, and a daemon's absence."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from tests.parts.web_browser import ScriptedDaemon
from zssr_daemon.web import feed as feed_module
from zssr_daemon.web.feed import Feed
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.refusal import RefusedError

STATUS: dict[str, Any] = {"settling": 0, "queued": 1, "failed": 0, "jobs": [], "pause": None}
ROWS: dict[str, Any] = {
    "settling": [],
    "queued": [],
    "done": [],
    "failed": [{"id": "1", "reason": "corrupt"}],
    "counts": {},
    "done_last_hour": 0,
    "empty_in_s": None,
}


class Daemon(ScriptedDaemon):
    """A daemon whose status a test changes."""

    def __init__(self) -> None:
        self.status = dict(STATUS)
        super().__init__(self.tell)

    def tell(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer as the daemon does."""
        return {"status": self.status} | (ROWS if request["command"] == "snapshot" else {})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll as fast as a test waits."""
    monkeypatch.setattr(feed_module, "_POLL_S", 0.01)
    monkeypatch.setattr(feed_module, "_MIN_SNAPSHOT_S", 0.0)
    monkeypatch.setattr(feed_module, "_COMMENT_S", 0.1)


async def stream(feed: Feed) -> AsyncIterator[str]:
    """Open a stream of a feed."""
    response = cast(StreamingResponse, await feed.stream(cast(Request, None)))
    return cast(AsyncIterator[str], response.body_iterator)


async def event(events: AsyncIterator[str]) -> tuple[str, dict[str, Any]]:
    """Return the next event, comments passed over."""
    while (text := await anext(events)).startswith(":"):
        pass
    kind, data, *_ = text.splitlines()
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def close(events: AsyncIterator[str]) -> None:
    """Close a stream, as the end of its connection does."""
    await events.aclose()  # type: ignore[attr-defined]


def test_whole_first_then_changes() -> None:
    """A change of a list brings the lists, another one the status alone."""

    async def check() -> None:
        daemon = Daemon()
        events = await stream(Feed(daemon, Bounds()))
        kind, data = await event(events)
        assert (kind, data["daemon"], data["status"]["queued"]) == ("snapshot", "running", 1)
        assert data["failed"][0]["reason_text"] == "The file is damaged."
        daemon.status = STATUS | {"last_scan_at": 5.0}
        kind, data = await event(events)
        assert (kind, data["last_scan_at"]) == ("status", 5.0)
        daemon.status = STATUS | {"queued": 2}
        kind, data = await event(events)
        assert (kind, data["status"]["queued"]) == ("snapshot", 2)
        await close(events)

    asyncio.run(check())


def test_daemon_away_and_back() -> None:
    """Each is told once; the last lists stay in sight."""

    async def check() -> None:
        daemon = Daemon()
        events = await stream(Feed(daemon, Bounds()))
        await event(events)
        answer, daemon.answer = daemon.answer, None
        kind, data = await event(events)
        assert (kind, data["daemon"], data["error"]) == ("snapshot", "away", "no daemon is running")
        assert data["failed"][0]["id"] == "1"
        assert (await anext(events)).startswith(":")  # told once
        daemon.answer = answer
        assert (await event(events))[1]["daemon"] == "running"
        await close(events)

    asyncio.run(check())


def test_pause_is_told_in_words() -> None:
    """As the reasons of jobs."""

    async def check() -> None:
        daemon = Daemon()
        daemon.status = STATUS | {"pause": {"reason": "disk_full", "message": "m", "since": 1.0}}
        events = await stream(Feed(daemon, Bounds()))
        _, data = await event(events)
        assert data["status"]["pause"]["reason_text"] == "A disk is full."
        await close(events)

    asyncio.run(check())


def test_one_poller_for_all_and_none_for_nobody() -> None:
    """Twenty browsers cost the daemon no more than one, and their absence costs nothing."""

    async def check() -> None:
        daemon = Daemon()
        feed = Feed(daemon, Bounds())
        streams = [await stream(feed) for _ in range(20)]
        for events in streams:
            assert (await event(events))[0] == "snapshot"
        snapshots = [each for each in daemon.asked if each["command"] == "snapshot"]
        assert len(snapshots) == 1
        for events in streams:
            await close(events)
        asked = len(daemon.asked)
        await asyncio.sleep(0.05)
        assert len(daemon.asked) == asked
        daemon.status = STATUS | {"queued": 7}
        events = await stream(feed)
        assert (await event(events))[1]["status"]["queued"] == 7  # fresh, not what was last known
        await close(events)

    asyncio.run(check())


def test_streams_are_limited_and_end_with_the_page() -> None:
    """One too many is refused."""

    async def check() -> None:
        feed = Feed(Daemon(), Bounds(max_streams=1))
        events = await stream(feed)
        await event(events)
        with pytest.raises(RefusedError) as refused:
            await stream(feed)
        assert refused.value.status == 503
        await feed.close()
        assert [text async for text in events if not text.startswith(":")] == []

    asyncio.run(check())
