"""Pages: the HTML that a browser opens; everything on it comes by scripts."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from zssr_daemon import __version__
from zssr_daemon.imaging.formats import IMAGE_SUFFIXES
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.upload.choices import CHOICES

_ICON = Path(__file__).parent / "static" / "favicon.svg"

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]


def routes(context: WebContext) -> list[Route]:
    """Return a route for each page."""
    return [
        Route("/", _page(context, "index.html")),
        Route("/login", _page(context, "login.html")),
        Route("/try", _page(context, "try.html")),
        Route("/jobs/{id}", _page(context, "job.html")),
        Route("/favicon.ico", _icon),
    ]


def _page(context: WebContext, template: str) -> Endpoint:
    values = {
        "version": __version__,
        "choices": CHOICES,
        "limits": {
            "max_upload_bytes": context.settings.max_upload_bytes,
            "max_files": context.settings.web.max_files,
            "endings": sorted(IMAGE_SUFFIXES),
        },
    }

    async def page(request: Request) -> Response:
        return context.templates.TemplateResponse(
            request, template, values | {"job_id": request.path_params.get("id")}
        )

    return page


async def _icon(_request: Request) -> Response:
    return FileResponse(_ICON, media_type="image/svg+xml")
