"""InboxObserver: hears from the kernel that something in the inbox has changed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

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

from zssr_daemon.system.mounts import mount_of, tells_of_changes

#: The events that bring a file, or end its writing. Reads are left out, since our own gate reads
#: every file and would then wake itself for ever; so are the events for each block written.
_ARRIVALS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]

#: watchdog leaks descriptors with each watch that it fails to set up, so the tries are limited.
_MAX_FAILED_WATCHES = 5


def is_told_of_changes(inbox: Path, polling: Literal["auto"] | bool) -> bool:
    """Tell whether to watch the inbox as well as scan it; `polling` is `[watch] polling`."""
    if polling == "auto":
        return tells_of_changes(mount_of(inbox).kind)
    return not polling


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
        except (OSError, RecursionError):  # no watches left, or folders nested too deep
            self._failures += 1
            return False
        self._failures = 0
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


class _Hint(FileSystemEventHandler):
    def __init__(self, on_hint: Callable[[], None]) -> None:
        self._on_hint = on_hint

    def on_any_event(self, event: FileSystemEvent) -> None:  # noqa: ARG002 (watchdog's signature)
        self._on_hint()
