"""StartRetry: when a child process that could not start is started again.

A child can fail to start while Python or this program is replaced; that is the fault of no image,
and it mends itself. The wait doubles with each failed start in a row.
"""

import sys
import time

#: The wait after the second failed start in a row, and the longest wait.
START_RETRY_S = 5.0
START_RETRY_MAX_S = 300.0


class StartRetry:
    """The failed starts in a row of one place for a child process."""

    def __init__(self) -> None:
        self._failures = 0
        self._failed_s = 0.0

    @property
    def failures(self) -> int:
        """How many starts have failed since one went well."""
        return self._failures

    def failed(self) -> None:
        """Note that a process could not start, or ended before it was ready."""
        self._failures += 1
        self._failed_s = time.monotonic()

    def succeeded(self) -> None:
        """Note that a process is ready."""
        self._failures = 0

    def is_due(self) -> bool:
        """Tell whether the wait after the last failed start is over."""
        wait_s = min(START_RETRY_MAX_S, START_RETRY_S * 2 ** max(0, self._failures - 1))
        return not self._failures or time.monotonic() - self._failed_s >= wait_s


def no_start(name: str, how: str) -> str:
    """Return the message about a child that ended, as `how` says, before it was ready."""
    return (
        f"no {name} process can start ({how}): is {sys.executable}, or a package, being replaced, "
        "or incomplete? Standard error has the cause; it is tried again"
    )
