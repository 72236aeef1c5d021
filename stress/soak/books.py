"""Books: which contents were dropped, and how often each must and may end."""

import hashlib
import itertools
import threading
from dataclasses import dataclass


@dataclass
class Content:
    """One content that was written to the inbox.

    It must end `min_ends` to `max_ends` times, as output or as failed record. Zero is allowed only
    if its writer itself wrote over it, or replaced it, before it was archived; two, if it was
    dropped twice.
    """

    number: int
    writer: str
    is_good: bool
    min_ends: int = 1
    max_ends: int = 1
    inode: int | None = None  # of the file, once it is complete and its writer is done with it

    def __str__(self) -> str:
        """Name it in a message about what is wrong."""
        return f"content {self.number} ({self.writer}, {'good' if self.is_good else 'broken'})"


class Books:
    """Keeps every content; writers in several threads enter theirs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.contents: dict[int, Content] = {}
        self.number_of_sha256: dict[str, int] = {}
        self.refused: list[str] = []  # names of links and pipes: each must get an error record
        self.left_alone: list[str] = []  # names of files that are no images
        self.raced: list[int] = []  # numbers written into a file while it was being archived

    def number(self) -> int:
        """Return a new number."""
        with self._lock:
            return next(self._numbers)

    def enter(self, number: int, content: bytes, writer: str, *, is_good: bool) -> Content:
        """Enter a content before its first byte is written."""
        entry = Content(number, writer, is_good)
        with self._lock:
            self.contents[number] = entry
            self.number_of_sha256[hashlib.sha256(content).hexdigest()] = number
        return entry

    def settled(self) -> list[Content]:
        """Return the contents whose original, or output, has to exist from now on."""
        with self._lock:
            return [entry for entry in self.contents.values() if entry.inode is not None]
