"""Watcher: which files of the inbox are candidates, and which of them lie still.

A scan is the truth; events of the file system only make the next look earlier. Events get lost
(a full inotify queue, a network share), so nothing here depends on one.
"""

import fnmatch
import heapq
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
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

from zssr_daemon.imaging.formats import HEAD_BYTES, IMAGE_SUFFIXES, looks_like_image
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.mounts import mount_of, tells_of_changes

#: Temporary and system files, by name; `[watch] ignore` adds to these.
IGNORED_NAMES = (
    ".*",
    "~$*",
    "*.tmp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.download",
    "*.swp",
    "~syncthing~*",
    "Thumbs.db",
    "desktop.ini",
    "@eaDir",
    "#recycle",
    "@Recycle",
    "__MACOSX",
    "*.toml",
    "*.error.json",
    "*.kernel.npy",
    "*.kernel.mat",
)


#: What brings a file, or ends its writing. Reading is no change (our own gate reads, and answering
#: that would never end), and of each block written nobody needs to know.
_ARRIVALS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileMovedEvent,
    FileClosedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]

#: watchdog leaks descriptors with each watch it fails to set up, so there is an end to trying.
_MAX_FAILED_WATCHES = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be an image; `rel` is its path below the inbox, in `os.fsdecode` form."""

    rel: str
    identity: FileIdentity
    is_empty: bool  # a regular file without content: still to be written


class InboxScan:
    """Walks the inbox; what is no candidate is remembered, so it is judged and told of once."""

    def __init__(self, inbox: Path, *, is_recursive: bool, ignore: tuple[str, ...] = ()) -> None:
        self._inbox = inbox
        self._is_recursive = is_recursive
        self._ignore = IGNORED_NAMES + ignore
        self._no_image: dict[str, FileIdentity] = {}
        self.ignored: list[str] = []  # newly found files that are no images; the caller empties it

    def __iter__(self) -> Iterator[Candidate]:
        """Yield every candidate.

        Raises:
            OSError: the inbox itself cannot be read. A sub-folder that cannot is passed over:
                it is met again at the next scan.
        """
        folders = [""]  # a list, no recursion: folders can nest deeper than our stack
        while folders:
            for rel, entry in self._entries(folders.pop()):
                with suppress(OSError):  # gone meanwhile, or unreadable
                    if entry.is_dir(follow_symlinks=False):
                        folders += [rel] if self._is_recursive else []
                    elif candidate := self._judge(rel, entry.stat(follow_symlinks=False)):
                        yield candidate

    def look(self, rel: str) -> Candidate | None:
        """Look at one file again; None when it is gone, unreadable or no candidate."""
        try:
            return self._judge(rel, os.lstat(self._inbox / rel))
        except OSError:
            return None

    def _entries(self, folder: str) -> "list[tuple[str, os.DirEntry[str]]]":
        try:
            with os.scandir(self._inbox / folder) as entries:
                kept = [entry for entry in entries if not self._is_ignored(entry.name)]
        except OSError:
            if not folder:
                raise
            return []
        return [(os.path.join(folder, entry.name), entry) for entry in kept]  # noqa: PTH118 (any bytes)

    def _judge(self, rel: str, status: os.stat_result) -> Candidate | None:
        identity = FileIdentity.from_stat(status)
        is_file = stat.S_ISREG(status.st_mode)
        if not self._may_be_image(rel, identity, is_file=is_file):
            return None
        return Candidate(rel, identity, is_empty=is_file and status.st_size == 0)

    def _may_be_image(self, rel: str, identity: FileIdentity, *, is_file: bool) -> bool:
        if os.path.splitext(rel)[1].lower() in IMAGE_SUFFIXES:  # noqa: PTH122
            return True
        if not is_file or self._no_image.get(rel) == identity:
            return False
        if looks_like_image(_head(self._inbox / rel)):
            return True
        if rel not in self._no_image:
            self.ignored.append(rel)
        self._no_image[rel] = identity
        return False

    def _is_ignored(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._ignore)


@dataclass(slots=True)
class _Settling:
    identity: FileIdentity
    since: float  # unchanged since, by the caller's monotonic clock
    due: float  # next look
    is_empty: bool


class SettleTracker:
    """Tells when a file has lain still for `stable_after_s`, over at least two looks.

    Waiting has no end, and no wait depends on another event: every tracked file has its own next
    look. Times are seconds of the caller's monotonic clock; the file's own times prove nothing.
    """

    def __init__(self, stable_after_s: float) -> None:
        self._stable_after_s = stable_after_s
        self._files: dict[str, _Settling] = {}
        # When to look at what, soonest first. An entry whose file has another due time by now, or
        # is tracked no more, is passed over: so each look costs the same among thousands of files.
        self._looks: list[tuple[float, str]] = []
        self._waiting = 0

    def __contains__(self, rel: str) -> bool:
        return rel in self._files

    def __len__(self) -> int:
        return len(self._files)

    @property
    def waiting(self) -> int:
        """How many files with content are settling (an empty one holds nothing up)."""
        return self._waiting

    def observe(self, candidate: Candidate, now: float) -> bool:
        """Note a look at a file, and tell whether it is ready."""
        known = self._files.get(candidate.rel)
        if known is None or known.identity != candidate.identity:
            self.drop(candidate.rel)
            self._files[candidate.rel] = _Settling(
                candidate.identity, now, now + self._stable_after_s, candidate.is_empty
            )
            self._waiting += not candidate.is_empty
            self.defer(candidate.rel, now + self._stable_after_s)
            return False
        is_due = now >= known.due
        if is_due:  # an empty file is looked at again and again
            self.defer(candidate.rel, now + self._stable_after_s)
        return is_due and not known.is_empty

    def unchanged_for_s(self, candidate: Candidate, now: float) -> float:
        """Return for how long a file has lain still as it is now, in seconds."""
        known = self._files.get(candidate.rel)
        return now - known.since if known and known.identity == candidate.identity else 0.0

    def defer(self, rel: str, until: float) -> None:
        """Look at a tracked file again at `until`, though it lies still."""
        self._files[rel].due = until
        heapq.heappush(self._looks, (until, rel))

    def drop(self, rel: str) -> None:
        """Stop tracking a file: it is queued, or gone."""
        file = self._files.pop(rel, None)
        if file is not None:
            self._waiting -= not file.is_empty

    def due(self, now: float) -> list[str]:
        """Return the files to look at now; each must then be observed, deferred or dropped."""
        found = []
        while self._looks and self._looks[0][0] <= now:
            due, rel = heapq.heappop(self._looks)
            if self._is_current(due, rel):
                found.append(rel)
        return found

    def next_due(self) -> float | None:
        """Return when the next look is due."""
        while self._looks and not self._is_current(*self._looks[0]):
            heapq.heappop(self._looks)
        return self._looks[0][0] if self._looks else None

    def _is_current(self, due: float, rel: str) -> bool:
        file = self._files.get(rel)
        return file is not None and file.due == due


def is_told_of_changes(inbox: Path, polling: Literal["auto"] | bool) -> bool:
    """Tell whether to watch the inbox beside scanning it; `polling` is the setting."""
    if polling == "auto":
        return tells_of_changes(mount_of(inbox).kind)
    return not polling


class InboxObserver:
    """Asks the kernel to say when something happens in the inbox; `on_hint` must not raise.

    `on_hint` runs in a thread of watchdog. A watch that cannot be had, or died, is not an error:
    the scans go on, and `ensure_alive` tries again a few times.
    """

    def __init__(self, inbox: Path, *, is_recursive: bool, on_hint: Callable[[], None]) -> None:
        self._inbox = inbox
        self._is_recursive = is_recursive
        self._handler = _Hint(on_hint)
        self._observer: BaseObserver | None = None
        self._failures = 0  # since the last success

    def ensure_alive(self) -> bool:
        """Start or rebuild the watch where it is not whole; tell whether it had to."""
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
        except (OSError, RecursionError):  # no watches left, or folders nested without end
            self._failures += 1
            return False
        self._failures = 0
        self._observer = observer
        return True

    @property
    def is_watching(self) -> bool:
        """Whether the kernel tells of everything now."""
        return self._observer is not None and self._is_whole(self._observer)

    @property
    def has_given_up(self) -> bool:
        """Whether the watch cannot be had, so that there are scans only."""
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


def _head(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, HEAD_BYTES)
    finally:
        os.close(fd)
