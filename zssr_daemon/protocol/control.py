"""Control: how anybody asks a running daemon; a JSON line each way, on a Unix socket.

The daemon's half is `daemon/control/control_socket.py`.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zssr_daemon.errors import DaemonSilentError, NoDaemonError, NotAllowedError

#: Lies in the state folder: the socket, or a link to it.
SOCKET_NAME = "control.sock"

#: The longest reply; the daemon sends none that is longer.
MAX_REPLY_BYTES = 8 << 20

_CHUNK_BYTES = 65536
_ASK_S = 10.0  # to get an answer


def ask(state_folder: Path, timeout_s: float = _ASK_S, **request: Any) -> dict[str, Any]:
    """Send a request to the daemon of this state folder, and return its answer.

    Raises:
        NoDaemonError: no daemon listens.
        NotAllowedError: a daemon may listen, but not to this user.
        DaemonSilentError: a daemon listens and does not answer.
    """
    path = state_folder / SOCKET_NAME
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            with short_name(path) as name:
                connection.connect(name)
            connection.sendall(json.dumps(request).encode() + b"\n")
            return dict(json.loads(_read_line(connection, time.monotonic() + timeout_s)))
    except PermissionError as error:
        raise NotAllowedError(
            f"{path}: permission denied; ask as the daemon's user, or be in its group"
        ) from error
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
        raise NoDaemonError(f"{state_folder}: no daemon is running on this state folder") from error
    except (OSError, ValueError) as error:
        raise DaemonSilentError(f"{path}: the daemon does not answer: {error}") from error


def _read_line(connection: socket.socket, deadline_s: float) -> bytes:
    text = bytearray()
    while not text.endswith(b"\n") and time.monotonic() < deadline_s:
        more = connection.recv(_CHUNK_BYTES)
        if not more:
            break
        text += more
    return bytes(text)


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Yield a name for `path` that fits into the 107 bytes of an address, however deep it lies."""
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)
