"""InboxScan: which files of the inbox may be images.

Scans alone decide; events of the file system only make the next scan come earlier. Events get
lost (a full inotify queue, a network share), so nothing depends on one.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon.imaging.formats import HEAD_BYTES, IMAGE_SUFFIXES, TAIL_BYTES, looks_like_image
from zssr_daemon.protocol.ignored_names import IGNORED_NAMES, any_case
from zssr_daemon.system.file_identity import FileIdentity


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be an image; `rel` is its path below the inbox, in `os.fsdecode` form."""

    rel: str
    identity: FileIdentity
    is_empty: bool  # a regular file without content, which is still to be written


class InboxScan:
    """Walks the inbox; it remembers which files are not images, and reports each of them once."""

    def __init__(self, inbox: Path, *, is_recursive: bool, ignore: tuple[str, ...] = ()) -> None:
        self._inbox = inbox
        self._is_recursive = is_recursive
        self._is_ignored = any_case(IGNORED_NAMES + ignore)
        self._no_image: dict[str, FileIdentity] = {}
        self.links: set[str] = set()  # that the last scan passed over
        self.new_links: list[str] = []  # passed over for the first time; the caller empties it
        self.ignored: list[str] = []  # files newly found not to be images; the caller empties it

    def __iter__(self) -> Iterator[Candidate]:
        """Yield every candidate.

        Raises:
            OSError: the inbox itself cannot be read. A sub-folder that cannot be read is passed
                over until the next scan.
        """
        passed_over = {}
        links: set[str] = set()
        folders = [""]  # a list instead of recursion: folders can nest deeper than our stack
        while folders:
            for rel, entry in self._entries(folders.pop()):
                with suppress(OSError):  # gone meanwhile, or unreadable
                    if entry.is_dir(follow_symlinks=False):
                        folders += [rel] if self._is_recursive else []
                    elif candidate := self._judge(rel, entry.stat(follow_symlinks=False)):
                        yield candidate
                    elif rel in self._no_image:
                        passed_over[rel] = self._no_image[rel]
                    elif entry.is_symlink() and (self._is_recursive or not entry.is_dir()):
                        links.add(rel)
        self._no_image = passed_over  # without those that are gone
        self.new_links += sorted(links - self.links)
        self.links = links

    def look(self, rel: str) -> Candidate | None:
        """Look at one file again; None when it is gone, unreadable or not a candidate."""
        try:
            return self._judge(rel, os.lstat(self._inbox / rel))
        except OSError:
            return None

    def find(self, rel: str) -> Candidate | None:
        """Look at a file by a path that somebody made up; None unless a scan would come upon it."""
        *folders, _ = parts = rel.split("/")
        if any(part in {"", ".", ".."} or "\0" in part or self._is_ignored(part) for part in parts):
            return None
        if folders and not self._is_recursive:
            return None
        path = str(self._inbox)
        with suppress(OSError):
            for folder in folders:
                path = os.path.join(path, folder)  # noqa: PTH118 (any bytes)
                if not stat.S_ISDIR(os.lstat(path).st_mode):
                    return None
            return self.look(rel)
        return None

    @property
    def passed_over(self) -> int:
        """How many files of the inbox are no images, as of the last scan."""
        return len(self._no_image)

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
        if looks_like_image(*_both_ends(self._inbox / rel, identity.size)):
            return True
        if rel not in self._no_image:
            self.ignored.append(rel)
        self._no_image[rel] = identity
        return False


def _both_ends(path: Path, size: int) -> tuple[bytes, bytes]:
    """Return the first and the last bytes of a file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, HEAD_BYTES), os.pread(fd, TAIL_BYTES, max(0, size - TAIL_BYTES))
    finally:
        os.close(fd)
