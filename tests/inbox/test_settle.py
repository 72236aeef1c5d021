"""SettleTracker: a file is ready when it has not changed for a while, by our clock."""

from pathlib import Path

from tests.parts.daemon_parts import (
    identity_of,
)
from zssr_daemon.inbox.scan import Candidate
from zssr_daemon.inbox.settle import SettleTracker


def candidate(size: int = 1, *, is_empty: bool = False) -> Candidate:
    """Return an imagined file that differs from others in its size alone."""
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
        """However slowly a file is written, it is waited for."""
        tracker = SettleTracker(5.0)
        for size in range(50):
            assert not tracker.observe(candidate(size), size * 6.0)
        assert tracker.observe(candidate(49), 49 * 6.0 + 5.0)

    def test_every_file_has_its_own_next_look(self) -> None:
        """A file is due after its own wait, whether or not an event comes."""
        tracker = SettleTracker(5.0)
        assert (tracker.next_due(), tracker.due(1e9)) == (None, [])
        tracker.observe(candidate(), 10.0)
        assert (tracker.next_due(), tracker.due(14.9), tracker.due(15.0)) == (15.0, [], ["a.png"])

    def test_empty_file_is_never_ready_and_never_in_the_way(self) -> None:
        """An empty file is looked at again and again, but nobody waits for it."""
        tracker = SettleTracker(5.0)
        for now in range(0, 1000, 5):
            assert not tracker.observe(candidate(0, is_empty=True), float(now))
            assert tracker.next_due() == now + 5
        assert (len(tracker), tracker.waiting) == (1, 0)
        tracker.observe(candidate(1), 1000.0)
        assert tracker.waiting == 1
        assert tracker.observe(candidate(1), 1005.0)

    def test_deferred_file_is_looked_at_later(self) -> None:
        """Though it does not change, it is not due before its new time."""
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
