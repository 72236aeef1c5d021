"""The soak's books: which contents were dropped, and what each may and must have come to."""

import hashlib
import itertools
import threading
from dataclasses import dataclass


@dataclass
class Content:
    """One content that was written to the inbox.

    It must end at least `least` and at most `most` times, as output or as failed record. Zero
    is allowed only where its writer itself wrote over it, or replaced it, before it was archived;
    two, where it was dropped twice.
    """

    number: int
    writer: str
    is_good: bool
    least: int = 1
    most: int = 1
    inode: int | None = None  # of the file, once it is whole and its writer leaves it alone

    def __str__(self) -> str:
        """Name it in a violation."""
        return f"content {self.number} ({self.writer}, {'good' if self.is_good else 'broken'})"


class Books:
    """Keeps every content; writers of several threads enter here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.contents: dict[int, Content] = {}
        self.number_of_sha256: dict[str, int] = {}
        self.refused: list[str] = []  # names of links and pipes: each ends with an error record
        self.left_alone: list[str] = []  # names of files that are no images
        self.raced: list[int] = []  # numbers written into a file while it was being archived

    def number(self) -> int:
        """Return a number nobody has had."""
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
