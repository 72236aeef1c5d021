"""Pause: whether the queue waits for its surroundings, and since which obstacle."""

import time
from collections.abc import Callable

from zssr_daemon.errors import Reason
from zssr_daemon.folders.obstacle import Obstacle
from zssr_daemon.system.disk_faults import is_away, is_full
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events

#: While paused, look this often whether the obstacle is gone.
_CHECK_S = 5.0


class Pause:
    """A pause costs no job an attempt; it is told of once, and ends by itself."""

    def __init__(self, find: Callable[[], Obstacle | None]) -> None:
        self._find = find  # looks for what stands in the way now
        self._log = logs.get_logger()
        self.obstacle: Obstacle | None = None  # what is waited for to go
        self.since = 0.0  # seconds since the epoch
        self._check_s = 0.0  # by the monotonic clock
        self.begun = 0  # how often something was found in the way

    def __bool__(self) -> bool:
        """Tell whether the queue waits."""
        return self.obstacle is not None

    @property
    def reason(self) -> Reason | None:
        """The slug of what is waited for."""
        return None if self.obstacle is None else self.obstacle.reason

    def look(self) -> None:
        """Begin a pause if something stands in the way."""
        obstacle = self._find()
        if obstacle is not None:
            self.begin(obstacle)

    def begin(self, obstacle: Obstacle) -> None:
        """Wait for an obstacle to go, or for another one from now on."""
        self._check_s = time.monotonic() + _CHECK_S
        self.begun += 1
        if self.reason != obstacle.reason:
            self.since = time.time()
            self._log.warning(Events.PAUSED, reason=obstacle.reason, message=obstacle.message)
        self.obstacle = obstacle

    def begin_for(self, error: OSError) -> None:
        """Wait for what is behind a fault that no job can be blamed for."""
        self.begin(self.explain(error) or Obstacle(Reason.FOLDER_MISSING, str(error)))

    def explain(self, error: OSError) -> Obstacle | None:
        """Say what in the surroundings explains `error`; None when it is about one file."""
        obstacle = self._find()
        if obstacle is None and is_full(error.errno):
            obstacle = Obstacle(Reason.DISK_FULL, str(error))
        if obstacle is None and is_away(error.errno):
            obstacle = Obstacle(Reason.FOLDER_MISSING, str(error))
        return obstacle

    def may_end(self, now: float) -> bool:
        """Tell whether a pause is on, it is time to look, and nothing stands in the way."""
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
