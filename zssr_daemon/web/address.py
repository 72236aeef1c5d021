"""Address: where the page listens, and what to open in a browser."""

import ipaddress
from pathlib import Path

from zssr_daemon.protocol.web_token import read_token
from zssr_daemon.settings.schema import Settings
from zssr_daemon.settings.web_table import Web

#: What `[web] listen` begins with when it names a Unix socket.
UNIX = "unix:"

_DEFAULT_PORTS = {"http": 80, "https": 443}


def page_link(settings: Settings) -> str:
    """Return the address of the page with its token, which browsers do not send to any server.

    Raises:
        SettingsError: there is no token yet, or it may not be read.
    """
    return f"{page_address(settings.web)}#token={read_token(settings.folders.state)}"


def page_address(web: Web) -> str:
    """Return the address of the page as browsers reach it, as far as the settings tell it.

    Where the page listens on a Unix socket, a reverse proxy stands before it, with TLS.
    """
    path = unix_path(web.listen)
    if path is not None:
        return f"https://{_public_host(web)}/login"
    scheme = "https" if web.tls_cert else "http"
    host, port = host_and_port(web.listen)
    shown = _public_host(web) if is_everywhere(host) else host
    shown = f"[{shown}]" if ":" in shown else shown
    end = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    return f"{scheme}://{shown}{end}/login"


def unix_path(listen: str) -> Path | None:
    """Return the path of the Unix socket, None where `listen` names a host and a port."""
    return Path(listen.removeprefix(UNIX)) if listen.startswith(UNIX) else None


def host_and_port(listen: str) -> tuple[str, int]:
    """Return both parts of `HOST:PORT`, an address of IPv6 without its brackets."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def is_everywhere(host: str) -> bool:
    """Tell whether a host stands for every address of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _public_host(web: Web) -> str:
    """Return the first host that other machines may call the page by, else the first of all."""
    local = {"localhost", "127.0.0.1", "::1"}
    others = [host for host in web.allowed_hosts if host not in local]
    return [*others, *web.allowed_hosts][0]
