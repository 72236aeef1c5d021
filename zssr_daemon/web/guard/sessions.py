"""Sessions: who is logged in, by a cookie that only somebody with the token can have got.

The cookie holds when it was given and a signature made with the token. So nothing is kept: a
restart of the page ends no session, and a new token ends all.
"""

import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from zssr_daemon.errors import SettingsError
from zssr_daemon.protocol.web_token import read_token

COOKIE = "zssr"
SESSION_S = 30 * 24 * 3600

#: So many wrong tokens are answered in a minute, of all clients together. The right one is always
#: taken, so that nobody can lock others out.
_MAX_WRONG = 10
_WRONG_S = 60.0


class Sessions:
    """Gives cookies for tokens, and knows them again."""

    def __init__(self, state_folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._state_folder = state_folder
        self._clock = clock
        self._wrong: deque[float] = deque(maxlen=_MAX_WRONG)

    def begin(self, token: str) -> str | None:
        """Return the cookie for a token, None for a wrong one.

        Raises:
            SettingsError: the daemon has made no token yet.
        """
        right = read_token(self._state_folder)
        if not hmac.compare_digest(token.strip().encode(), right.encode()):
            self._wrong.append(self._clock())
            return None
        since = str(int(self._clock()))
        return f"{since}.{_signature(right, since)}"

    def is_open(self, cookie: str) -> bool:
        """Tell whether a cookie was given under the present token, and not too long ago."""
        since, _, signature = cookie.partition(".")
        if not since.isascii() or not since.isdecimal() or len(since) > 12:
            return False
        try:
            expected = _signature(read_token(self._state_folder), since)
        except SettingsError:
            return False
        is_ours = hmac.compare_digest(signature.encode(), expected.encode())
        return is_ours and 0 <= self._clock() - int(since) <= SESSION_S

    @property
    def has_too_many_wrong(self) -> bool:
        """Whether wrong tokens come faster than a person types."""
        full = len(self._wrong) == _MAX_WRONG
        return full and self._clock() - self._wrong[0] < _WRONG_S


def _signature(token: str, since: str) -> str:
    text = f"zssr-daemon web session {since}"
    return hmac.new(token.encode(), text.encode(), hashlib.sha256).hexdigest()
