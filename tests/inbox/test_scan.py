"""The watcher: which files are candidates, when they lie still, and who says that they came."""

import os
import select
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.parts.daemon_parts import (
    DEPTH,
    HOSTILE_NAMES,
    deeply_nested,
    drop,
    identity_of,
    wait_until,
)
from zssr_daemon.inbox.observer import InboxObserver, is_told_of_changes
from zssr_daemon.inbox.scan import Candidate, InboxScan
from zssr_daemon.inbox.settle import SettleTracker

PNG_HEAD = b"\x89PNG\r\n\x1a\n" + bytes(8)


def scan(inbox: Path, *, is_recursive: bool = True, ignore: tuple[str, ...] = ()) -> InboxScan:
    """Return a scan of `inbox`."""
    return InboxScan(inbox, is_recursive=is_recursive, ignore=ignore)


def found(inbox: Path, *, is_recursive: bool = True, ignore: tuple[str, ...] = ()) -> list[str]:
    """Return the paths of all candidates."""
    return sorted(c.rel for c in scan(inbox, is_recursive=is_recursive, ignore=ignore))


class TestInboxScan:
    """The scan is the truth."""

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_any_name_is_found(self, tmp_path: Path, name: str) -> None:
        """A name is bytes: a pattern, an option or what is no text is found all the same."""
        path = drop(tmp_path, f"sub/{name}")
        (candidate,) = scan(tmp_path)
        assert candidate == Candidate(f"sub/{name}", identity_of(path), is_empty=False)
        assert scan(tmp_path).look(f"sub/{name}") == candidate

    @pytest.mark.parametrize(
        "name",
        [
            ".hidden.png",
            "~$a.png",
            "a.png.tmp",
            "a.png.part",
            "a.png.crdownload",
            ".syncthing.a.png.tmp",
            "~syncthing~a.png",
            "Thumbs.db",
            ".DS_Store",
            "a.toml",
            "a.png.error.json",
            ".stfolder/a.png",
            ".Trash-1000/a.png",
            "@eaDir/a.png",
            "#recycle/a.png",
            "__MACOSX/a.png",
            "mine.png",
            "mine_too/a.png",
        ],
    )
    def test_temporary_files_are_passed_over(self, tmp_path: Path, name: str) -> None:
        """Neither candidates nor told of, even when they hold a picture."""
        drop(tmp_path, name)
        drop(tmp_path, "a.png")
        scanned = scan(tmp_path, ignore=("mine*",))
        assert [candidate.rel for candidate in scanned] == ["a.png"]
        assert scanned.ignored == []

    def test_magic_makes_a_candidate(self, tmp_path: Path) -> None:
        """An image without a suffix, or with a wrong one, is an image."""
        for name in ("plain", "odd.txt"):
            (tmp_path / name).write_bytes(PNG_HEAD)
        assert found(tmp_path) == ["odd.txt", "plain"]

    def test_other_files_are_told_of_once(self, tmp_path: Path) -> None:
        """A text is ignored, and said to be so a single time, changed or not."""
        notes = tmp_path / "notes.txt"
        notes.write_text("hello")
        scanned = scan(tmp_path)
        assert list(scanned) == []
        assert scanned.ignored == ["notes.txt"]
        scanned.ignored.clear()
        notes.write_text("hello again")
        assert list(scanned) == []
        assert scanned.ignored == []

    def test_ignored_file_may_become_an_image(self, tmp_path: Path) -> None:
        """A judgement holds only for the content it was made on."""
        path = tmp_path / "upload"
        path.write_bytes(b"not yet")
        scanned = scan(tmp_path)
        assert list(scanned) == []
        path.write_bytes(PNG_HEAD)
        assert [candidate.rel for candidate in scanned] == ["upload"]

    def test_special_files_with_an_image_name_are_candidates(self, tmp_path: Path) -> None:
        """They are refused later, with a reason, and are not opened here."""
        os.mkfifo(tmp_path / "fifo.png")
        (tmp_path / "link.png").symlink_to("/etc/passwd")
        (tmp_path / "folder.png").symlink_to(tmp_path)
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "link").symlink_to("/etc/passwd")
        assert {c.rel: c.is_empty for c in scan(tmp_path)} == {
            "fifo.png": False,
            "link.png": False,
            "folder.png": False,
        }

    def test_empty_file_is_marked(self, tmp_path: Path) -> None:
        """A file without content is still to be written."""
        (tmp_path / "a.png").touch()
        assert [c.is_empty for c in scan(tmp_path)] == [True]

    def test_sub_folders_when_asked_for(self, tmp_path: Path) -> None:
        """`recursive` decides; a folder is never taken for a file, whatever it is called."""
        drop(tmp_path, "sub.png/deep/a.png")
        drop(tmp_path, "b.png")
        assert found(tmp_path) == ["b.png", "sub.png/deep/a.png"]
        assert found(tmp_path, is_recursive=False) == ["b.png"]

    def test_depth_has_no_limit(self, tmp_path: Path) -> None:
        """Folders nested deeper than an interpreter's stack do not end the daemon."""
        with deeply_nested(tmp_path, "a.png"):
            assert [rel.count("/") for rel in found(tmp_path)] == [DEPTH]

    def test_missing_inbox_is_an_error(self, tmp_path: Path) -> None:
        """An unmounted inbox is not an empty one."""
        with pytest.raises(FileNotFoundError):
            list(scan(tmp_path / "gone"))

    def test_look_at_what_is_gone(self, tmp_path: Path) -> None:
        """A file that vanished, or whose folder is a file now, is no candidate and no error."""
        (tmp_path / "file").touch()
        for rel in ("gone.png", "gone/a.png", "file/a.png", "x" * 300 + ".png"):
            assert scan(tmp_path).look(rel) is None

    def test_file_that_vanishes_between_two_looks(self, tmp_path: Path) -> None:
        """What goes during the scan costs only itself."""
        for name in ("a.png", "b.png", "c"):
            (tmp_path / name).write_bytes(PNG_HEAD)
        candidates = iter(scan(tmp_path))
        next(candidates)
        for path in tmp_path.iterdir():
            path.unlink()
        assert [candidate.rel for candidate in candidates if candidate.rel == "c"] == []


def candidate(size: int = 1, *, is_empty: bool = False) -> Candidate:
    """Return an imagined file of which only the size changes."""
    identity = identity_of(Path("/"))
    changed = type(identity)(dev=1, ino=1, size=size, mtime_ns=1)
    return Candidate("a.png", changed, is_empty=is_empty)


class TestSettleTracker:
    """Ready means unchanged for a while, by our clock."""

    def test_two_looks_are_needed(self) -> None:
        """However old a file is by its own times, the first look proves nothing."""
        tracker = SettleTracker(5.0)
        assert not tracker.observe(candidate(), 1000.0)
        assert not tracker.observe(candidate(), 1004.9)
        assert tracker.observe(candidate(), 1005.0)

    def test_any_change_begins_anew(self) -> None:
        """A slow writer is waited for without end."""
        tracker = SettleTracker(5.0)
        for size in range(50):
            assert not tracker.observe(candidate(size), size * 6.0)
        assert tracker.observe(candidate(49), 49 * 6.0 + 5.0)

    def test_every_file_has_its_own_next_look(self) -> None:
        """No wait depends on an event."""
        tracker = SettleTracker(5.0)
        assert (tracker.next_due(), tracker.due(1e9)) == (None, [])
        tracker.observe(candidate(), 10.0)
        assert (tracker.next_due(), tracker.due(14.9), tracker.due(15.0)) == (15.0, [], ["a.png"])

    def test_empty_file_is_never_ready_and_never_in_the_way(self) -> None:
        """It is looked at again and again, but nobody waits for it."""
        tracker = SettleTracker(5.0)
        for now in range(0, 1000, 5):
            assert not tracker.observe(candidate(0, is_empty=True), float(now))
            assert tracker.next_due() == now + 5
        assert (len(tracker), tracker.waiting) == (1, 0)
        tracker.observe(candidate(1), 1000.0)
        assert tracker.waiting == 1
        assert tracker.observe(candidate(1), 1005.0)

    def test_deferred_file_is_looked_at_later(self) -> None:
        """Though it lies still, it is not due before that."""
        tracker = SettleTracker(5.0)
        tracker.observe(candidate(), 0.0)
        tracker.defer("a.png", 50.0)
        assert not tracker.observe(candidate(), 49.0)
        assert tracker.observe(candidate(), 50.0)
        assert tracker.unchanged_for_s(candidate(), 50.0) == 50.0
        assert tracker.unchanged_for_s(candidate(2), 50.0) == 0.0

    def test_dropped_file_is_forgotten(self) -> None:
        """Dropping what is not tracked is no error."""
        tracker = SettleTracker(5.0)
        tracker.observe(candidate(), 0.0)
        for _ in range(2):
            tracker.drop("a.png")
            assert "a.png" not in tracker
        assert tracker.unchanged_for_s(candidate(), 9.0) == 0.0


class Hints:
    """An observer, and a pipe its hints go to, as the supervisor has them."""

    def __init__(self, inbox: Path) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK)
        self.observer = InboxObserver(inbox, is_recursive=True, on_hint=self._on_hint)

    def _on_hint(self) -> None:
        os.write(self._writer, b"\0")

    def came(self) -> bool:
        """Tell whether hints have come since the last call."""
        if not select.select([self._reader], [], [], 0)[0]:
            return False
        os.read(self._reader, 65536)
        return True

    def close(self) -> None:
        """End the observer."""
        self.observer.stop()
        os.close(self._reader)
        os.close(self._writer)


@pytest.fixture
def hints(tmp_path: Path) -> Iterator[Hints]:
    """Make an observer of `tmp_path`, not yet started."""
    hints = Hints(tmp_path)
    yield hints
    hints.close()


class TestInboxObserver:
    """Events are hints."""

    def test_changes_are_told(self, hints: Hints, tmp_path: Path) -> None:
        """A new file, a rename, a file in a new sub-folder: each brings a hint."""
        assert hints.observer.ensure_alive()
        assert not hints.observer.ensure_alive()
        drop(tmp_path, "a.png")
        wait_until(hints.came)
        (tmp_path / "a.png").rename(tmp_path / "b.png")
        wait_until(hints.came)
        drop(tmp_path, "sub/c.png")
        wait_until(hints.came)

    def test_reading_is_not_told(self, hints: Hints, tmp_path: Path) -> None:
        """Our own gate reads files; were that a hint, the scans would never end."""
        path = drop(tmp_path, "a.png")
        hints.observer.ensure_alive()
        path.read_bytes()
        (tmp_path / "sentinel").touch()  # the queue is in order, so what came before has passed
        wait_until(hints.came)
        seen = []
        handler = hints.observer._handler
        handler._on_hint = lambda: seen.append(1)
        path.read_bytes()
        handler._on_hint = hints._on_hint
        assert seen == []

    def test_dead_emitter_is_noticed(self, hints: Hints, tmp_path: Path) -> None:
        """The observer's thread lives on when an emitter dies; the watch is built anew."""
        hints.observer.ensure_alive()
        assert hints.observer._observer is not None
        (emitter,) = hints.observer._observer.emitters
        emitter.stop()
        emitter.join()
        assert hints.observer._observer.is_alive()
        assert hints.observer.ensure_alive()
        drop(tmp_path, "a.png")
        wait_until(hints.came)

    def test_missing_folder_is_tried_again(self, tmp_path: Path) -> None:
        """A watch that cannot be had is no error, leaks nothing, and is had once it can be."""
        hints = Hints(tmp_path / "later")
        assert not hints.observer.ensure_alive()
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for _ in range(20):
            assert not hints.observer.ensure_alive()
        assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
        (tmp_path / "later").mkdir()
        assert hints.observer.ensure_alive()
        hints.close()

    @pytest.mark.filterwarnings("ignore::ResourceWarning")  # of os.walk, out of stack
    def test_watch_that_cannot_be_had_is_given_up(self, hints: Hints, tmp_path: Path) -> None:
        """Trying costs descriptors, so it ends; the scans need no watch."""
        with deeply_nested(tmp_path, "a.png"):
            for _ in range(10):
                assert not hints.observer.ensure_alive()
            before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
            for _ in range(10):
                assert not hints.observer.ensure_alive()
            assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

    def test_removed_and_made_again(self, tmp_path: Path) -> None:
        """An inbox that went and came back is watched again."""
        inbox = tmp_path / "inbox"
        inbox.mkdir()
        hints = Hints(inbox)
        hints.observer.ensure_alive()
        inbox.rmdir()
        wait_until(lambda: not hints.observer.ensure_alive())
        inbox.mkdir()
        wait_until(lambda: hints.observer.ensure_alive() or None, "a new watch")
        drop(inbox, "a.png")
        wait_until(hints.came)
        hints.close()

    def test_stop_ends_the_threads(self, hints: Hints) -> None:
        """Stopping, twice too, leaves no thread; it can be started again."""
        hints.observer.stop()
        hints.observer.ensure_alive()
        inner = hints.observer._observer
        assert inner is not None
        hints.observer.stop()
        hints.observer.stop()
        assert not inner.is_alive()
        assert hints.observer.ensure_alive()


@pytest.mark.parametrize(("polling", "expected"), [(True, False), (False, True), ("auto", True)])
def test_setting_decides_whether_to_watch(
    tmp_path: Path, polling: Literal["auto"] | bool, expected: bool
) -> None:
    """True scans only, false watches, auto looks at the file system, here a local one."""
    assert is_told_of_changes(tmp_path, polling) is expected
