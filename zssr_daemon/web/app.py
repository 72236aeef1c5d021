"""App: the routes of the page, put together behind the gate."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp

from zssr_daemon.settings.schema import Settings
from zssr_daemon.web import api, feed, pages, views
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.cutter import Cutter, shown_limits
from zssr_daemon.web.daemon_link import DaemonAwayError, DaemonLink
from zssr_daemon.web.feed import Feed
from zssr_daemon.web.guard import login
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.gate import Gate
from zssr_daemon.web.guard.refusal import RefusedError, refusal, refused
from zssr_daemon.web.guard.sessions import Sessions
from zssr_daemon.web.upload import tries, upload
from zssr_daemon.web.upload.batches import Batches

_HERE = Path(__file__).parent


def make_context(settings: Settings, link: DaemonLink, bounds: Bounds | None = None) -> WebContext:
    """Return what all views of a page share."""
    bounds = bounds or Bounds()
    return WebContext(
        settings=settings,
        link=link,
        templates=Jinja2Templates(_HERE / "templates"),
        sessions=Sessions(settings.folders.state),
        bounds=bounds,
        feed=Feed(link, bounds),
        cutter=Cutter(shown_limits(settings)),
        batches=Batches(settings.folders.inbox, settings.web.max_files),
    )


def make_app(context: WebContext) -> ASGIApp:
    """Return the whole page."""
    handlers = {RefusedError: refused, DaemonAwayError: _away, HTTPException: _http_error}
    return Gate(
        Starlette(routes=_routes(context), exception_handlers=handlers),
        allowed_hosts=context.settings.web.allowed_hosts,
        sessions=context.sessions,
        bounds=context.bounds,
    )


def _routes(context: WebContext) -> list[BaseRoute]:
    return [
        *pages.routes(context),
        *views.routes(context),
        *login.routes(context),
        *upload.routes(context),
        *tries.routes(context),
        *feed.routes(context.feed),
        *api.routes(context),
        Mount("/static", StaticFiles(directory=_HERE / "static"), name="static"),
    ]


async def _away(_request: Request, error: Exception) -> Response:
    return refusal(503, str(error), "start it: zssr-daemon run", headers={"Retry-After": "2"})


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing here", 405: "this cannot be done here"}
    return refusal(error.status_code, words.get(error.status_code, error.detail))
