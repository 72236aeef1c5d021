"""Server: the process of the page, from its settings to its last request."""

import logging
import os
import socket
import time
from pathlib import Path
from threading import Thread

import uvicorn

from zssr_daemon import __version__
from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events, LogSettings
from zssr_daemon.telemetry.terminal import out, say
from zssr_daemon.web.address import page_address, page_link
from zssr_daemon.web.app import make_app, make_context
from zssr_daemon.web.context import WebContext
from zssr_daemon.web.daemon_link import DaemonLink
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.http_protocol import protocol_with
from zssr_daemon.web.guard.listener import open_listener, socket_name

#: Nobody else may read what is uploaded; the daemon's group may also move it.
_UMASK = 0o007

_LINK_S = 0.2  # between two looks for a token


def run_page(
    settings: Settings, file: Path, *, show_link: bool = False, bounds: Bounds | None = None
) -> None:
    """Serve the page until SIGTERM or Ctrl-C.

    Raises:
        SettingsError: the page cannot work with these settings; the message says why.
    """
    if not settings.watch.recursive:
        raise SettingsError(
            f"{file}: [watch] recursive = false: the daemon would not look into the folders into "
            "which the page puts uploads; set it to true"
        )
    os.umask(_UMASK)
    _configure_logs(settings)
    listener = open_listener(settings.web)
    context = make_context(settings, DaemonLink(settings.folders.state), bounds)
    context.batches.clean()
    server = _Server(context)
    address = page_address(settings.web)
    keys = {"version": __version__, "address": address, "socket": socket_name(listener)}
    logs.get_logger().info(Events.WEB_STARTED, **keys)
    if show_link:
        Thread(target=_say_link, args=(settings,), daemon=True).start()
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """uvicorn, which ends the streams of events before it waits for what is in work."""

    def __init__(self, context: WebContext) -> None:
        web, bounds = context.settings.web, context.bounds
        super().__init__(
            uvicorn.Config(
                make_app(context),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                http=protocol_with(bounds),
                ws="none",
                h11_max_incomplete_event_size=bounds.max_head_bytes,
                timeout_keep_alive=int(bounds.head_s),
                timeout_graceful_shutdown=int(bounds.shutdown_s),
                ssl_certfile=web.tls_cert,
                ssl_keyfile=web.tls_key,
            )
        )
        self._context = context
        try:
            self.config.load()
        except OSError as error:  # those of TLS, too
            where = f"[web] tls_cert = {str(web.tls_cert)!r}, tls_key = {str(web.tls_key)!r}"
            cure = "let the page's user read a certificate and its key, both in PEM"
            raise SettingsError(f"{where}: {error.strerror or error}; {cure}") from error

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order."""
        await self._context.feed.close()
        await super().shutdown(sockets)
        self._context.cutter.close()


def _configure_logs(settings: Settings) -> None:
    """Log as the daemon does, to standard output alone: the log file is the daemon's."""
    console = out if out.is_terminal else None
    logs.configure(LogSettings(settings.logging.level), console)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)  # below that it tells of every bad request


def _say_link(settings: Settings) -> None:
    """Print the address with its token, as soon as the daemon has made one."""
    while True:
        try:
            say(page_link(settings))
        except SettingsError:
            time.sleep(_LINK_S)
        else:
            return
