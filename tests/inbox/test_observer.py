"""InboxObserver: changes in the inbox are hints; a watch that is lost is built again."""

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.daemon_parts import (
    deeply_nested,
    drop,
    wait_until,
)
from zssr_daemon.inbox.observer import InboxObserver


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
    """Whoever watches is told of changes, and only of changes."""

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

    def test_reading_is_not_told(
        self, hints: Hints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Our own gate reads files; were that a hint, the scans would never end."""
        path = drop(tmp_path, "a.png")
        seen: list[object] = []
        monkeypatch.setattr(
            hints.observer._handler, "on_any_event", lambda event: seen.append(event.src_path)
        )
        hints.observer.ensure_alive()
        path.read_bytes()
        sentinel = tmp_path / "sentinel"
        sentinel.touch()  # events come in order, so those of the read would have come before
        wait_until(lambda: str(sentinel) in seen)
        assert str(path) not in seen

    def test_dead_emitter_is_noticed(self, hints: Hints, tmp_path: Path) -> None:
        """The observer's thread goes on when an emitter dies; the watch is then rebuilt."""
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
        """A missing folder is no error and leaks nothing; once it is there, it is watched."""
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
        """Each try costs descriptors, so there are only a few; the scans need no watch."""
        with deeply_nested(tmp_path, "a.png"):
            for _ in range(10):
                assert not hints.observer.ensure_alive()
            before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
            for _ in range(10):
                assert not hints.observer.ensure_alive()
            assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208

    def test_removed_and_made_again(self, tmp_path: Path) -> None:
        """An inbox that was removed and made again is watched again."""
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
        """Stopping, also twice, leaves no thread; the observer can be started again."""
        hints.observer.stop()
        hints.observer.ensure_alive()
        inner = hints.observer._observer
        assert inner is not None
        hints.observer.stop()
        hints.observer.stop()
        assert not inner.is_alive()
        assert hints.observer.ensure_alive()
