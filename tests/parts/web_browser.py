"""WebBrowser: a client of the page in the test's own process, and the daemon it believes in."""

from collections.abc import Callable
from typing import Any

from starlette.testclient import TestClient

from zssr_daemon.protocol.web_token import TOKEN_NAME
from zssr_daemon.settings.schema import Settings
from zssr_daemon.web.app import make_app, make_context
from zssr_daemon.web.daemon_link import DaemonAwayError, DaemonLink
from zssr_daemon.web.guard.bounds import Bounds

TOKEN = "0123456789abcdef" * 4

#: What the scripts of the page send with every write.
WRITES = {"Origin": "http://localhost", "X-ZSSR": "1"}

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class ScriptedDaemon(DaemonLink):
    """A daemon that answers as a test says; without an answer it is away."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    async def ask(self, **request: Any) -> dict[str, Any]:
        """Answer, and remember what was asked."""
        self.asked.append(request)
        if self.answer is None:
            raise DaemonAwayError("no daemon is running")
        return self.answer(request)


def browser(
    settings: Settings,
    daemon: ScriptedDaemon | None = None,
    *,
    bounds: Bounds | None = None,
    is_logged_in: bool = True,
) -> TestClient:
    """Return a browser at the page of these settings, which sends what its scripts would."""
    (settings.folders.state / TOKEN_NAME).write_text(TOKEN + "\n")
    app = make_app(make_context(settings, daemon or ScriptedDaemon(), bounds))
    client = TestClient(app, "http://localhost", headers=WRITES, follow_redirects=False)
    if is_logged_in:
        assert client.post("/login", json={"token": TOKEN}).status_code == 204
    return client
