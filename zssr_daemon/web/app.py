"""App: the routes of the page, put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from zssr_daemon.settings.schema import Settings
from zssr_daemon.web import pages, views
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.cutter import Cutter, shown_limits
from zssr_daemon.web.daemon_link import DaemonLink
from zssr_daemon.web.refusal import RefusedError, refused

_HERE = Path(__file__).parent


def make_app(settings: Settings, link: DaemonLink) -> Starlette:
    """Return the whole page for these settings."""
    templates = Jinja2Templates(_HERE / "templates")
    cutter = Cutter(shown_limits(settings))
    context = WebContext(settings=settings, link=link, templates=templates, cutter=cutter)
    routes = [
        *pages.routes(context),
        *views.routes(context),
        Mount("/static", StaticFiles(directory=_HERE / "static", check_dir=False), name="static"),
    ]

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        cutter.close()

    return Starlette(routes=routes, exception_handlers={RefusedError: refused}, lifespan=lifespan)
