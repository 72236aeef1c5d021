"""WebToken: the secret that opens the page; the daemon makes it, and the page reads it."""

import re
from pathlib import Path

from zssr_daemon.errors import SettingsError

TOKEN_NAME = "web-token"  # noqa: S105 (the name of a file)

_TOKEN = re.compile(r"[0-9a-f]{64}\s*")


def read_token(state_folder: Path) -> str:
    """Return the token of this state folder.

    Raises:
        SettingsError: there is none yet, it may not be read, or it is none; the message says so.
    """
    path = state_folder / TOKEN_NAME
    try:
        text = path.read_text("ascii")
    except FileNotFoundError as error:
        message = f"{path}: not there yet; the daemon makes it when it starts: zssr-daemon run"
        raise SettingsError(message) from error
    except OSError as error:
        cure = "read it as the daemon's user, or as one of its group"
        raise SettingsError(f"{path}: {error.strerror}; {cure}") from error
    except ValueError:
        text = ""
    if not _TOKEN.fullmatch(text):
        cure = "delete it and restart the daemon, which makes another"
        raise SettingsError(f"{path}: not 64 hex digits; {cure}")
    return text.strip()
