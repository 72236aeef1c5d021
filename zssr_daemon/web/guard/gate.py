"""Gate: what every request passes before any view sees it, and what every answer leaves with."""

import asyncio
import re
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.headers import secured
from zssr_daemon.web.guard.refusal import RefusedError, refusal
from zssr_daemon.web.guard.sessions import COOKIE, Sessions

_READS = frozenset({"GET", "HEAD"})
_WRITES = frozenset({"POST", "PUT", "DELETE"})
_PORTS = {"http": 80, "https": 443}

#: A host and perhaps a port, as the header `Host` has them.
_HOST = re.compile(r"(?P<host>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{1,5}))?", re.IGNORECASE)


class Gate:
    """The outermost part of the page."""

    def __init__(
        self, app: ASGIApp, *, allowed_hosts: Sequence[str], sessions: Sessions, bounds: Bounds
    ) -> None:
        self._app = app
        self._allowed_hosts = frozenset(allowed_hosts)
        self._sessions = sessions
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or hand it on; secure its answer in both cases."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = secured(message.get("headers", []))
            await send(message)

        answer = self._refused(scope, headers)
        if answer is not None:
            await answer(scope, receive, send_secured)
        elif scope["method"] in _WRITES:
            await self._app(scope, _impatient(receive, self._bounds.body_s), send_secured)
        else:
            await self._app(scope, receive, send_secured)

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """Return the answer to a request that is refused, None for one that passes."""
        try:
            host = self._host(headers)
            self._check_form(scope, headers)
            if scope["method"] in _WRITES:
                _check_write(scope, headers, host)
            elif not _is_own_or_typed(headers):
                raise RefusedError(403, "another site asks for this; open it here")
        except RefusedError as error:
            if scope["method"] in _READS and _wants_page(headers):
                text = "\n".join(filter(None, (error.error, error.cure)))
                return PlainTextResponse(text + "\n", status_code=error.status)
            return error.to_response()
        if _is_public(scope["path"]) or self._sessions.is_open(_cookie(headers)):
            return None
        if scope["method"] in _READS and _wants_page(headers):
            return RedirectResponse("/login", status_code=303)
        return refusal(401, "you are not logged in", "open what `zssr-daemon web link` prints")

    def _host(self, headers: Headers) -> tuple[str, int | None]:
        """Return the host that the browser believes it talks to, and its port.

        A page of another site can have its own name resolve to this machine (DNS rebinding); its
        requests bear that name.

        Raises:
            RefusedError: it is none of ours.
        """
        values = headers.getlist("host")
        found = _HOST.fullmatch(values[0]) if len(values) == 1 else None
        host = found["host"].strip("[]").lower().removesuffix(".") if found else None
        if found is None or host not in self._allowed_hosts:
            shown = host if found else "the name in your request"
            cure = f'in settings.toml: [web] allowed_hosts = [..., "{host}"], and restart the page'
            error = f"this page does not answer to {shown}"
            raise RefusedError(421, error, cure if found else "open the page by its name")
        return host, int(found["port"]) if found["port"] else None

    def _check_form(self, scope: Scope, headers: Headers) -> None:
        """Refuse what no browser sends.

        Raises:
            RefusedError: it is such a request.
        """
        if len(headers) > self._bounds.max_headers:
            raise RefusedError(431, f"more than {self._bounds.max_headers} headers")
        size = len(scope["raw_path"]) + len(scope["query_string"])
        size += sum(len(name) + len(value) for name, value in headers.raw)
        if size > self._bounds.max_head_bytes:  # h11 measures only what comes in several packets
            raise RefusedError(431, f"headers of more than {self._bounds.max_head_bytes} bytes")
        if scope["method"] not in _READS | _WRITES:
            raise RefusedError(405, f"{scope['method']} is not understood")
        parts = re.split(r"[/\\]", scope["path"])
        if ".." in parts or "\0" in scope["path"] or not scope["path"].startswith("/"):
            raise RefusedError(400, "this path leads nowhere")
        if "content-length" in headers and "transfer-encoding" in headers:
            raise RefusedError(400, "the length of the body is given twice")


def _check_write(scope: Scope, headers: Headers, host: tuple[str, int | None]) -> None:
    """Let only scripts of this very page change anything: other sites can send forms, not these.

    Raises:
        RefusedError: something else sends it.
    """
    origins = headers.getlist("origin")
    is_own = len(origins) == 1 and _is_origin(origins[0], scope["scheme"], host)
    if not is_own or headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RefusedError(403, "another site sends this; do it on this page")
    if headers.get("x-zssr") != "1":
        raise RefusedError(403, "the header X-ZSSR: 1 is missing")


def _is_origin(origin: str, scheme: str, host: tuple[str, int | None]) -> bool:
    """Tell whether an origin is ours; a reverse proxy may have taken TLS off in between."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    default = _PORTS.get(parts.scheme)
    is_plain = origin == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return (
        is_plain
        and default is not None
        and scheme in {parts.scheme, "http"}
        and parts.hostname == host[0]
        and (port or default) == (host[1] or default)
    )


def _is_own_or_typed(headers: Headers) -> bool:
    """Tell whether a read comes from this page, or opens it; another site may only link to it."""
    site = headers.get("sec-fetch-site", "none")
    is_link = headers.get("sec-fetch-mode") == "navigate"
    return site in {"same-origin", "none"} or (
        is_link and headers.get("sec-fetch-dest", "document") == "document"
    )


def _is_public(path: str) -> bool:
    return path in {"/login", "/favicon.ico"} or path.startswith("/static/")


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _impatient(receive: Receive, body_s: float) -> Receive:
    """Wait only so long for each piece of a body."""
    is_whole = False

    async def receive_soon() -> Message:
        nonlocal is_whole
        if is_whole:  # what comes now is the end of the connection, whenever that is
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), body_s)
        except TimeoutError as error:
            raise RefusedError(408, f"nothing came for {body_s:g} s", "send it again") from error
        is_whole = not message.get("more_body", False)
        return message

    return receive_soon
