"""The soak's writers: all the ways in which files come into an inbox, and change there.

None of them writes over a file it did not drop: a name that is taken gets another.
"""

import itertools
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from stress.soak.books import Books, Content
from stress.soak.pictures import Drawn, draw, spoil

#: Half a file that lies still for so long is taken for broken; our writers pause for less.
UNREADABLE_AFTER_S = 10.0
_LONGEST_PAUSE_S = 2.5

#: By then what was dropped may have settled, be queued, running, or gone.
_CHANGES_WITHIN_S = 4.0

_BROKEN_SHARE = 0.1
_TIMES_S = (0, 1, 1 << 31, 4_102_444_800)  # the epoch, 2038, 2100
_HARD_NAMES = (
    b"-\xff\nline",
    "Zoë [b] 图像".encode(),
    b"two  spaces; $(x) `y` 'z' \"q\"",
    b"%s {stem} {0}",
    b"tab\there",
    b"x" * 240,
)


class Writers:
    """Drops files into one inbox; `outside` is a folder on the same file system."""

    def __init__(self, inbox: Path, outside: Path, books: Books, seed: int) -> None:
        self._inbox = inbox
        self._outside = outside
        self._books = books
        self._random = random.Random(seed)  # noqa: S311 (no secret)
        self._scratch = itertools.count()

    def kinds(self) -> list[Callable[[], None]]:
        """Return every way to write; each call drops something and returns when it is done."""
        return [
            *(self.at_once, self.slow, self.pausing, self.reopening, self.part_renamed),
            *(self.moved_in, self.folder_moved_in, self.rewritten, self.replaced, self.touched),
            *(self.dated, self.hardly_named, self.same_name, self.in_sub_folder),
            *(self.renamed_later, self.filled_later, self.dropped_twice, self.hard_linked),
            *(self.no_file, self.no_image),
        ]

    # -- ways to write ------------------------------------------------------------------------

    def at_once(self) -> None:
        """Write the whole file under its name."""
        entry, drawn = self._new("at_once")
        self._write(entry, [drawn.content], self._inbox / _name(entry, drawn))

    def slow(self) -> None:
        """Write it in small pieces."""
        entry, drawn = self._new("slow", as_png=True)
        pieces = [drawn.content[i : i + 300] for i in range(0, len(drawn.content), 300)]
        self._write(entry, pieces, self._inbox / _name(entry, drawn), pause_s=0.1)

    def pausing(self) -> None:
        """Write a half, hold still for longer than a file has to lie still, write the rest."""
        entry, drawn = self._new("pausing", as_png=True)
        path = self._inbox / _name(entry, drawn)
        self._write(entry, _halves(drawn), path, pause_s=self._up_to(_LONGEST_PAUSE_S))

    def reopening(self) -> None:
        """Close the half file, and come back later."""
        entry, drawn = self._new("reopening", as_png=True)
        path = self._inbox / _name(entry, drawn)
        first, second = _halves(drawn)
        path.write_bytes(first)
        time.sleep(self._up_to(_LONGEST_PAUSE_S))
        with path.open("ab") as stream:
            stream.write(second)
            entry.inode = os.fstat(stream.fileno()).st_ino

    def part_renamed(self) -> None:
        """Write under a temporary name in the inbox, then rename."""
        entry, drawn = self._new("part_renamed")
        path = self._inbox / _name(entry, drawn)
        part = path.with_name(path.name + ".part")
        part.write_bytes(drawn.content)
        time.sleep(self._up_to(1.0))
        _rename(part, path, entry)

    def moved_in(self) -> None:
        """Write elsewhere, then move in."""
        entry, drawn = self._new("moved_in")
        _rename(self._prepared(drawn), self._inbox / _name(entry, drawn), entry)

    def folder_moved_in(self) -> None:
        """Move a whole folder in."""
        folder = self._fresh()
        folder.mkdir()
        inodes: list[tuple[Content, int]] = []
        for _ in range(3):
            entry, drawn = self._new("folder_moved_in")
            path = folder / _name(entry, drawn)
            path.write_bytes(drawn.content)
            inodes.append((entry, path.stat().st_ino))
        folder.rename(self._inbox / f"folder {inodes[0][0].number}")
        for entry, inode in inodes:
            entry.inode = inode

    def rewritten(self) -> None:
        """Write something else into the same file, later."""
        path, before = self._dropped("rewritten")
        self._wait_for_a_change()
        with suppress(FileNotFoundError), path.open("r+b") as stream:  # gone: it was archived
            self._rewrite(path, before, stream.fileno())

    def replaced(self) -> None:
        """Rename another file onto this one, later."""
        path, before = self._dropped("replaced")
        inode = before.inode
        with path.open("rb") as old:
            self._wait_for_a_change()
            entry, drawn = self._new("replaced", is_good=True)
            new = self._prepared(drawn, path.suffix)
            before.inode = None
            inode_of_new = new.stat().st_ino
            new.replace(path)
            entry.inode = inode_of_new
            if os.fstat(old.fileno()).st_nlink:  # moved to the archive before
                before.inode = inode
            else:
                before.least = 0

    def touched(self) -> None:
        """Give it another time, now and again; it is the same picture still."""
        path, _ = self._dropped("touched")
        for _ in range(3):
            time.sleep(self._up_to(_CHANGES_WITHIN_S / 2))
            with suppress(FileNotFoundError):
                os.utime(path)

    def dated(self) -> None:
        """Move a file in whose time proves nothing."""
        entry, drawn = self._new("dated")
        path = self._prepared(drawn)
        date_s = self._random.choice(_TIMES_S)
        os.utime(path, (date_s, date_s))
        _rename(path, self._inbox / _name(entry, drawn), entry)

    def hardly_named(self) -> None:
        """Use a name that is legal, and that is all."""
        entry, drawn = self._new("hardly_named")
        number = f"{entry.number}{drawn.suffix}".encode()
        name = self._random.choice(_HARD_NAMES) + number
        path = self._inbox / os.fsdecode(name)
        self._write(entry, [drawn.content], path)

    def same_name(self) -> None:
        """Use a name again that earlier files had, once it is free."""
        entry, drawn = self._new("same_name", as_png=True)
        ready = self._prepared(drawn)
        inode = ready.stat().st_ino
        for name in ("scan.png", "scan1.png", "scan2.png", f"scan {entry.number}.png"):
            with suppress(FileExistsError):
                (self._inbox / name).hardlink_to(ready)
                break
        ready.unlink()
        entry.inode = inode

    def in_sub_folder(self) -> None:
        """Write into a folder that may be new."""
        entry, drawn = self._new("in_sub_folder")
        folder = self._inbox / f"box {entry.number % 7}" / "deep"
        folder.mkdir(parents=True, exist_ok=True)
        self._write(entry, [drawn.content], folder / _name(entry, drawn))

    def renamed_later(self) -> None:
        """Rename it within the inbox; it is one picture still."""
        path, _ = self._dropped("renamed_later")
        self._wait_for_a_change()
        with suppress(FileNotFoundError):
            path.rename(path.with_name(f"renamed {path.name}"))

    def filled_later(self) -> None:
        """Make an empty file, and write into it later."""
        entry, drawn = self._new("filled_later")
        path = self._inbox / _name(entry, drawn)
        path.touch()
        time.sleep(self._up_to(_CHANGES_WITHIN_S))
        with path.open("r+b") as stream:
            stream.write(drawn.content)
            entry.inode = os.fstat(stream.fileno()).st_ino

    def dropped_twice(self) -> None:
        """Drop equal content under two names: two jobs."""
        entry, drawn = self._new("dropped_twice")
        entry.least = entry.most = 2
        self._write(entry, [drawn.content], self._inbox / _name(entry, drawn))
        time.sleep(self._up_to(_CHANGES_WITHIN_S))
        self._write(entry, [drawn.content], self._inbox / f"again {_name(entry, drawn)}")

    def hard_linked(self) -> None:
        """Drop one file under two names: whether that is one job or two is the daemon's affair."""
        entry, drawn = self._new("hard_linked")
        entry.most = 2
        ready = self._prepared(drawn)
        inode = ready.stat().st_ino
        for prefix in ("", "link "):
            (self._inbox / (prefix + _name(entry, drawn))).hardlink_to(ready)
        ready.unlink()
        entry.inode = inode

    def no_file(self) -> None:
        """Drop a link, or a pipe, that is named like a picture."""
        name = f"no file {self._books.number():06}.png"
        self._books.refused.append(name)
        if self._random.random() < 0.5:
            (self._inbox / name).symlink_to("/etc/hostname")
        else:
            os.mkfifo(self._inbox / name)

    def no_image(self) -> None:
        """Drop a file that is none of the daemon's business."""
        name = f"notes {self._books.number():06}.txt"
        self._books.left_alone.append(name)
        (self._inbox / name).write_text("left alone")

    # -- inside -------------------------------------------------------------------------------

    def _new(
        self, writer: str, *, as_png: bool = False, is_good: bool | None = None
    ) -> tuple[Content, Drawn]:
        """Enter a content nobody has dropped yet; some are broken."""
        number = self._books.number()
        is_good = self._random.random() >= _BROKEN_SHARE if is_good is None else is_good
        drawn = draw(number, as_png=as_png) if is_good else spoil(number)
        return self._books.enter(number, drawn.content, writer, is_good=is_good), drawn

    def _dropped(self, writer: str) -> tuple[Path, Content]:
        """Drop a good picture at once."""
        entry, drawn = self._new(writer, is_good=True)
        path = self._inbox / _name(entry, drawn)
        self._write(entry, [drawn.content], path)
        return path, entry

    @staticmethod
    def _write(entry: Content, pieces: list[bytes], path: Path, *, pause_s: float = 0.0) -> None:
        with path.open("xb", buffering=0) as stream:
            for piece in pieces[:-1]:
                stream.write(piece)
                time.sleep(pause_s)
            stream.write(pieces[-1])
            entry.inode = os.fstat(stream.fileno()).st_ino

    def _rewrite(self, path: Path, before: Content, fd: int) -> None:
        """Write new content into an open file, unless it has left the inbox."""
        inode, before.inode = before.inode, None
        if not _is_at(path, fd):
            before.inode = inode
            return
        before.least = 0
        entry, drawn = self._new("rewritten", is_good=True)
        os.ftruncate(fd, 0)
        if not _is_at(path, fd):  # archived in this very instant; our doing, nobody's fault
            before.least, entry.least = 1, 0
            self._books.raced.append(entry.number)
        os.write(fd, drawn.content)
        entry.inode = inode

    def _prepared(self, drawn: Drawn, suffix: str | None = None) -> Path:
        path = self._fresh().with_suffix(suffix or drawn.suffix)
        path.write_bytes(drawn.content)
        return path

    def _fresh(self) -> Path:
        return self._outside / str(next(self._scratch))

    def _wait_for_a_change(self) -> None:
        time.sleep(self._up_to(_CHANGES_WITHIN_S))

    def _up_to(self, limit_s: float) -> float:
        return self._random.uniform(0.0, limit_s)


def _name(entry: Content, drawn: Drawn) -> str:
    return f"{entry.writer} {entry.number:06}{drawn.suffix}"


def _halves(drawn: Drawn) -> list[bytes]:
    middle = len(drawn.content) // 2
    return [drawn.content[:middle], drawn.content[middle:]]


def _rename(source: Path, target: Path, entry: Content) -> None:
    inode = source.stat().st_ino
    source.rename(target)
    entry.inode = inode


def _is_at(path: Path, fd: int) -> bool:
    """Tell whether an open file still has this name."""
    with suppress(FileNotFoundError):
        return path.stat().st_ino == os.fstat(fd).st_ino
    return False
