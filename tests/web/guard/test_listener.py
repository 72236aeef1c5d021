"""The socket: who can reach the page, as the socket itself says."""

import os
import socket
import stat
from pathlib import Path

import pytest

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.web_table import Web
from zssr_daemon.web.guard.listener import open_listener, socket_name

CERT = {"tls_cert": Path("/a.pem"), "tls_key": Path("/b.pem")}


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", "[::1]:0", "127.0.0.2:0"])
def test_loopback_needs_no_tls(listen: str) -> None:
    """Nothing leaves the machine."""
    if "::1" in listen and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    listener = open_listener(Web(listen=listen))
    host, _, port = socket_name(listener).rpartition(":")
    assert host in {"127.0.0.1", "[::1]", "127.0.0.2"}
    assert int(port) == listener.getsockname()[1]
    listener.close()


def has_ipv6() -> bool:
    """Tell whether the machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_other_machines_need_tls_or_an_outspoken_setting(listen: str) -> None:
    """The refusal names all three cures."""
    if "::" in listen and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    with pytest.raises(SettingsError, match=r"tls_cert.*reverse proxy.*plain_http = true"):
        open_listener(Web(listen=listen))
    open_listener(Web(listen=listen, plain_http=True)).close()
    open_listener(Web(listen=listen, **CERT)).close()


def test_unix_socket_is_for_owner_and_group(tmp_path: Path) -> None:
    """From the first moment, whatever the umask is."""
    path = tmp_path / "web.sock"
    before = os.umask(0)
    try:
        listener = open_listener(Web(listen=f"unix:{path}"))
    finally:
        assert os.umask(before) == 0
    assert socket_name(listener) == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with pytest.raises(SettingsError, match="choose another"):
        open_listener(Web(listen=f"unix:{path}"))  # it is in use
    listener.close()
    open_listener(Web(listen=f"unix:{path}")).close()  # what a dead page left is replaced


def test_taken_port_is_a_fault_of_the_settings() -> None:
    """Named with its key."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=r"\[web\] listen"):
            open_listener(Web(listen=f"127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ({"listen": "8770"}, "HOST:PORT"),
        ({"listen": "127.0.0.1:70000"}, "HOST:PORT"),
        ({"listen": "unix:relative.sock"}, "HOST:PORT"),
        ({"allowed_hosts": ["nas:8770"]}, "without a port"),
        ({"allowed_hosts": []}, "at least 1"),
        ({"tls_cert": "a.pem"}, "go together"),
        ({"max_upload_bytes": 0}, "greater than or equal to 1"),
    ],
)
def test_faulty_keys_are_refused(keys: dict[str, object], fault: str) -> None:
    """With what they should be."""
    with pytest.raises(ValueError, match=fault):
        Web.model_validate(keys)
