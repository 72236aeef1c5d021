"""InboxObserver: hears from the kernel that something in the inbox has changed."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

#: The events that bring a file, or end its writing. Reads are left out, since our own gate reads
#: every file and would then wake itself for ever; so are the events for each block written.
_ARRIVALS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]

#: Where the kernel shows the limits of inotify.
_LIMITS = Path("/proc/sys/fs/inotify")

#: watchdog leaks descriptors with each watch that it fails to set up, so the tries are limited.
_MAX_FAILED_WATCHES = 5


class InboxObserver:
    """Calls `on_hint` when something happens in the inbox, in a thread of watchdog.

    `on_hint` must not raise. A watch that cannot be set up, or that died, is not an error: the
    scans go on, and `ensure_alive` tries again a few times.
    """

    def __init__(self, inbox: Path, *, is_recursive: bool, on_hint: Callable[[], None]) -> None:
        self._inbox = inbox
        self._is_recursive = is_recursive
        self._handler = _Hint(on_hint)
        self._observer: BaseObserver | None = None
        self._failures = 0  # since the last success
        self.fault: str | None = None  # why the last try failed, and the cure

    def ensure_alive(self) -> bool:
        """Start the watch, or rebuild it when a part of it died; tell whether that was done."""
        if self._observer is not None and self._is_whole(self._observer):
            return False
        self.stop()
        if self.has_given_up or not os.path.isdir(self._inbox):  # noqa: PTH112 (never raises)
            return False
        observer = Observer()
        try:
            observer.schedule(
                self._handler,
                str(self._inbox),
                recursive=self._is_recursive,
                event_filter=_ARRIVALS,
            )
            observer.start()
        except (OSError, RecursionError) as error:  # no watches left, or folders nested too deep
            self._failures += 1
            self.fault = _fault(error)
            return False
        self._failures = 0
        self.fault = None
        self._observer = observer
        return True

    @property
    def is_watching(self) -> bool:
        """Whether every part of the watch is alive."""
        return self._observer is not None and self._is_whole(self._observer)

    @property
    def has_given_up(self) -> bool:
        """Whether the watch failed too often to be tried again, so that only scans are left."""
        return self._failures >= _MAX_FAILED_WATCHES

    def stop(self) -> None:
        """End the watch and its threads."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    @staticmethod
    def _is_whole(observer: BaseObserver) -> bool:
        # An emitter can die while the observer's own thread lives on.
        emitters = observer.emitters
        return observer.is_alive() and bool(emitters) and all(e.is_alive() for e in emitters)


def _fault(error: OSError | RecursionError) -> str:
    """Return why a watch cannot be set up, and what raises the limit that stands in its way."""
    if isinstance(error, RecursionError):
        return "folders are nested too deep to be watched"
    if error.errno == errno.ENOSPC:
        return _limit("watches, one for each folder", "max_user_watches")
    if error.errno == errno.EMFILE and not _is_short_of_descriptors():
        return _limit("instances, one for each watching program", "max_user_instances")
    return f"the inbox cannot be watched: {error}"


def _limit(what: str, name: str) -> str:
    try:
        value = (_LIMITS / name).read_text().strip()
    except OSError:
        value = "unknown"
    return (
        f"the user's limit of inotify {what}, is reached (fs.inotify.{name} = {value}): "
        f"raise it, as with `sysctl fs.inotify.{name}=1048576`, and restart the daemon; "
        "until then new files are noticed by scans"
    )


def _is_short_of_descriptors() -> bool:
    """Tell whether the process, not the user, has reached its limit: both are EMFILE."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno == errno.EMFILE
    return False


class _Hint(FileSystemEventHandler):
    def __init__(self, on_hint: Callable[[], None]) -> None:
        self._on_hint = on_hint

    def on_any_event(self, event: FileSystemEvent) -> None:  # noqa: ARG002 (watchdog's signature)
        self._on_hint()
