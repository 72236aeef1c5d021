"""DaemonLink: what the page asks the daemon, over the control socket and off the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from zssr_daemon.errors import DaemonSilentError, NoDaemonError, NotAllowedError, ZSSRError
from zssr_daemon.protocol.control import ask
from zssr_daemon.web.guard.refusal import RefusedError

#: The daemon serves a few callers at a time, and the commands of administrators come first.
_MAX_CALLS = 4
_ASK_S = 5.0


class DaemonAwayError(ZSSRError):
    """The daemon is not running, or does not answer; the message is for the person at the page."""

    exit_code = 1


class DaemonLink:
    """The page's only way to the daemon; however many browsers there are, a few calls at a time."""

    def __init__(self, state_folder: Path) -> None:
        self._state_folder = state_folder
        # Threads of its own: calls that wait for a silent daemon must not keep uploads waiting.
        self._threads = ThreadPoolExecutor(_MAX_CALLS, "zssr-ask")

    async def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request, and return the daemon's reply; one with `error` is returned as it is.

        Raises:
            DaemonAwayError: the daemon is not there, or does not answer.
        """
        call = partial(ask, self._state_folder, _ASK_S, **request)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except (NoDaemonError, NotAllowedError, DaemonSilentError) as error:
            raise DaemonAwayError(str(error)) from error

    async def granted(self, **request: Any) -> dict[str, Any]:
        """Send a request, and return the reply of a daemon that says yes.

        Raises:
            RefusedError: it says no: 404 where a job was looked up, else 409.
            DaemonAwayError: it is not there, or does not answer.
        """
        reply = await self.ask(**request)
        if "error" in reply:
            raise RefusedError(404 if request["command"] == "job" else 409, str(reply["error"]))
        return reply
