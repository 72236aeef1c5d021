"""Server: the process of the page, from its settings to its last request."""

import os
import time
from pathlib import Path
from threading import Thread

import uvicorn

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import LogSettings
from zssr_daemon.telemetry.terminal import say
from zssr_daemon.web.address import page_address, page_link
from zssr_daemon.web.app import make_app
from zssr_daemon.web.daemon_link import DaemonLink
from zssr_daemon.web.listener import open_listener

#: Nobody else may read what is uploaded; the daemon's group may also move it.
_UMASK = 0o007

_MAX_HEAD_BYTES = 16_384
_MAX_CONNECTIONS = 512
_KEEP_ALIVE_S = 15
_SHUTDOWN_S = 5
_LINK_S = 0.2  # between two looks for a token


def run_page(settings: Settings, file: Path, *, show_link: bool = False) -> None:
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
    logs.configure(LogSettings(settings.logging.level))
    listener = open_listener(settings.web)
    say(f"the page is served at {page_address(settings.web)}")
    if show_link:
        Thread(target=_say_link, args=(settings,), daemon=True).start()
    app = make_app(settings, DaemonLink(settings.folders.state))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_SHUTDOWN_S,
        ssl_certfile=settings.web.tls_cert,
        ssl_keyfile=settings.web.tls_key,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _say_link(settings: Settings) -> None:
    """Print the address with its token, as soon as the daemon has made one."""
    while True:
        try:
            say(page_link(settings))
        except SettingsError:
            time.sleep(_LINK_S)
        else:
            return
