"""Login: the token is exchanged for a cookie, and the cookie is taken back."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zssr_daemon.errors import SettingsError
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.guard.body import read_json
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.web.guard.sessions import COOKIE, SESSION_S

_CURE = "`zssr-daemon web link` prints the address with the right one"


def routes(context: WebContext) -> list[Route]:
    """Return the two routes."""
    return [
        Route("/login", Login(context).begin, methods=["POST"]),
        Route("/logout", _logout, methods=["POST"]),
    ]


class Login:
    """Exchanges tokens for cookies."""

    def __init__(self, context: WebContext) -> None:
        self._context = context

    async def begin(self, request: Request) -> Response:
        """Give a cookie for the right token; wrong ones are answered a few times a minute."""
        token = (await read_json(request, self._context.bounds)).get("token")
        try:
            cookie = self._context.sessions.begin(token if isinstance(token, str) else "")
        except SettingsError as error:
            raise RefusedError(503, str(error)) from error
        if cookie is None:
            raise self._wrong(request)
        answer = Response(status_code=204)
        is_tls = request.headers.get("origin", "").startswith("https:")
        answer.set_cookie(
            COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="strict", secure=is_tls
        )
        return answer

    def _wrong(self, request: Request) -> RefusedError:
        if self._context.sessions.has_too_many_wrong:
            error = "too many wrong tokens in a minute"
            return RefusedError(429, error, _CURE, headers={"Retry-After": "60"})
        client = request.client.host if request.client else ""
        logs.get_logger().warning(Events.WEB_LOGIN_REFUSED, client=client)
        return RefusedError(403, "this is not the token", _CURE)


async def _logout(_request: Request) -> Response:
    """Take the cookie back from this browser."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
