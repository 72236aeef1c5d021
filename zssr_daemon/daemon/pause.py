"""Pause: whether the queue waits, for which obstacle, and since when."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from zssr_daemon.errors import Reason
from zssr_daemon.folders.obstacle import Obstacle
from zssr_daemon.system.disk_faults import is_away, is_full
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events

#: How often a pause looks whether the obstacle is gone.
_CHECK_S = 5.0


class Pause:
    """A pause costs no job an attempt; it is logged once, and ends by itself."""

    def __init__(self, find: Callable[[], Obstacle | None]) -> None:
        self._find = find  # returns the obstacle of this moment
        self._log = logs.get_logger()
        self.obstacle: Obstacle | None = None  # the queue waits until it is gone
        self.since = 0.0  # seconds since the epoch
        self._check_s = 0.0  # when to look again, by the monotonic clock
        self.begins = 0  # how often an obstacle was found

    def __bool__(self) -> bool:
        """Tell whether the queue waits."""
        return self.obstacle is not None

    @property
    def reason(self) -> Reason | None:
        """The reason of the obstacle, or None."""
        return None if self.obstacle is None else self.obstacle.reason

    def look(self) -> None:
        """Begin a pause if there is an obstacle."""
        obstacle = self._find()
        if obstacle is not None:
            self.begin(obstacle)

    def begin(self, obstacle: Obstacle) -> None:
        """Wait until this obstacle is gone, also if the queue waited for another one so far."""
        self._check_s = time.monotonic() + _CHECK_S
        self.begins += 1
        if self.reason != obstacle.reason:
            self.since = time.time()
            self._log.warning(Events.PAUSED, reason=obstacle.reason, message=obstacle.message)
        self.obstacle = obstacle

    def begin_for(self, error: OSError) -> None:
        """Begin a pause for a fault that no job can be blamed for."""
        self.begin(self.explain(error) or Obstacle(Reason.FOLDER_MISSING, str(error)))

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Turn an OSError into a pause: outside a job, a fault of disks or folders is behind it."""
        try:
            yield
        except OSError as error:
            self.begin_for(error)

    def explain(self, error: OSError) -> Obstacle | None:
        """Return the obstacle that explains `error`; None if the error is about one file."""
        obstacle = self._find()
        if obstacle is None and is_full(error.errno):
            obstacle = Obstacle(Reason.DISK_FULL, str(error))
        if obstacle is None and is_away(error.errno):
            obstacle = Obstacle(Reason.FOLDER_MISSING, str(error), is_seen=False)
        return obstacle

    def may_end(self, now: float) -> bool:
        """Look whether the obstacle is gone, if it is time to; tell whether the pause may end."""
        if self.obstacle is None or now < self._check_s:
            return False
        self._check_s = now + _CHECK_S
        obstacle = self._find()
        if obstacle is not None:
            self.begin(obstacle)
        return obstacle is None

    def end(self) -> None:
        """Let the queue go on."""
        self._log.info(Events.RESUMED, reason=self.reason)
        self.obstacle = None
