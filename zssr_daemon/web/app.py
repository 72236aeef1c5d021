"""App: the routes of the page, put together."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from zssr_daemon.settings.schema import Settings
from zssr_daemon.web import pages
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.daemon_link import DaemonLink
from zssr_daemon.web.refusal import RefusedError, refused

_HERE = Path(__file__).parent


def make_app(settings: Settings, link: DaemonLink) -> Starlette:
    """Return the whole page for these settings."""
    templates = Jinja2Templates(_HERE / "templates")
    context = WebContext(settings=settings, link=link, templates=templates)
    routes = [
        *pages.routes(context),
        Mount("/static", StaticFiles(directory=_HERE / "static", check_dir=False), name="static"),
    ]
    return Starlette(routes=routes, exception_handlers={RefusedError: refused})
