"""Listener: the socket on which the page is served, taken over from systemd or opened here.

Whether other machines can reach it is asked of the socket itself, not of the settings: systemd may
hand over another one than they name.
"""

import ipaddress
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.web_table import Web
from zssr_daemon.web.address import host_and_port, unix_path

#: Owner and group may connect: the reverse proxy joins the group.
_UNIX_MODE = 0o660
_BACKLOG = 512

#: The first descriptor that systemd hands over (sd_listen_fds(3)).
_FIRST_FD = 3


def open_listener(web: Web) -> socket.socket:
    """Return the listening socket of the page.

    Raises:
        SettingsError: it cannot be opened, or other machines could reach it without TLS.
    """
    listener = _inherited() or _bound(web)
    try:
        _refuse_plain_text(listener, web)
    except SettingsError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


def socket_name(listener: socket.socket) -> str:
    """Return where a socket listens, as people write it."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return os.fsdecode(name)
    host = f"[{name[0]}]" if listener.family == socket.AF_INET6 else name[0]
    return f"{host}:{name[1]}"


def _inherited() -> socket.socket | None:
    """Return the socket that systemd hands over, None where it hands over none."""
    pid, count = (os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS"))
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal() or count == "0":
        return None
    if count != "1":
        raise SettingsError(f"systemd hands over {count} sockets; give zssr-web.socket one")
    os.set_inheritable(_FIRST_FD, False)
    return socket.socket(fileno=_FIRST_FD)


def _bound(web: Web) -> socket.socket:
    path = unix_path(web.listen)
    try:
        return _bound_unix(path) if path is not None else _bound_tcp(*host_and_port(web.listen))
    except OSError as error:
        cure = "choose another with [web] listen"
        raise SettingsError(f'[web] listen = "{web.listen}": {error.strerror}; {cure}') from error


def _bound_tcp(host: str, port: int) -> socket.socket:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _bound_unix(path: Path) -> socket.socket:
    """Listen at `path`, from the first moment for owner and group alone."""
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode) and not _is_answered(path):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o777 & ~_UNIX_MODE)
    try:
        listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(umask)
    return listener


def _is_answered(path: Path) -> bool:
    """Tell whether a living process listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def _refuse_plain_text(listener: socket.socket, web: Web) -> None:
    """Refuse a socket that other machines reach, where nothing hides token and pictures on the way.

    Raises:
        SettingsError: it is such a one.
    """
    if web.tls_cert or web.plain_http or listener.family == socket.AF_UNIX:
        return
    host, port, *_ = listener.getsockname()
    address = ipaddress.ip_address(host.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    if not address.is_loopback:
        raise SettingsError(
            f"[web] listen: other machines reach {host} port {port}, and token and pictures would "
            "travel in plain text; set tls_cert and tls_key, or put a reverse proxy with TLS "
            "before a loopback address, or say plain_http = true"
        )
