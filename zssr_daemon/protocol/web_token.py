"""WebToken: the secret that opens the web page; the daemon makes it, and the page reads it.

The page runs as another user of the daemon's group, and cannot write to the state folder.
"""

import os
import re
import secrets
import stat
from pathlib import Path

from zssr_daemon.errors import SettingsError
from zssr_daemon.system import durable

#: Lies in the state folder.
TOKEN_NAME = "web-token"  # noqa: S105 (the name of a file)

#: The user of the daemon writes it, and its group reads it.
_MODE = 0o640

_TOKEN_BYTES = 32
_TOKEN = re.compile(rb"[0-9a-f]{64}\s*")


def ensure_token(state_folder: Path) -> list[str]:
    """Make a token where there is none, or one that others may know; a good one stays.

    A link, or a file that is not ours alone, is replaced, and what a link leads to is not touched.

    Returns:
        What the administrator should know: that a token was replaced, or that none can be made.
        The daemon goes on without one; only the page does not.
    """
    path = state_folder / TOKEN_NAME
    try:
        fault = _fault(path)
        if fault is None:
            return []
        token = secrets.token_hex(_TOKEN_BYTES).encode() + b"\n"
        durable.write_new(path, token, mode=_MODE, is_exact_mode=True)
    except OSError as error:
        return [f"{path}: {error.strerror}; nobody can log in to the web page until this is mended"]
    return [f"{path}: {fault}; another token is made, and every login has ended"] if fault else []


def read_token(state_folder: Path) -> str:
    """Return the token of this state folder.

    Raises:
        SettingsError: there is none yet, it may not be read, or it is none; the message says so.
    """
    path = state_folder / TOKEN_NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        message = f"{path}: not there yet; the daemon makes it when it starts: zssr-daemon run"
        raise SettingsError(message) from error
    except OSError as error:
        cure = "read it as the daemon's user, or as one of its group"
        raise SettingsError(f"{path}: {error.strerror}; {cure}") from error
    if not _TOKEN.fullmatch(content):
        raise SettingsError(f"{path}: it holds no token; restart the daemon, which makes another")
    return content.decode().strip()


def _fault(path: Path) -> str | None:
    """Return why a token must be made; "" where there is none yet, None for a good one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    except OSError as error:  # a link, or a file of another user
        return f"it cannot be read safely ({error.strerror})"
    with os.fdopen(fd, "rb") as stream:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return "it is no file of its own"
        if status.st_uid != os.geteuid():
            return "it belongs to another user"
        if stat.S_IMODE(status.st_mode) & ~_MODE:
            return f"its mode {stat.S_IMODE(status.st_mode):04o} lets others know or change it"
        return None if _TOKEN.fullmatch(stream.read(1024)) else "it holds no token"
