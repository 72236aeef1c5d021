"""Failpoints: the named places between two durable steps, at which a test ends a process.

Nothing in this program sets `on_reach`: in production reaching a point does nothing. A test runs
the daemon through a script of its own that sets it; spawned children run that script's top level
too, so their points are armed as well.
"""

from collections.abc import Callable
from enum import StrEnum


class Failpoint(StrEnum):
    """Each place, named after what has just become durable, or has just been done."""

    # From the inbox to a worker.
    PROBED = "probed"  # the gate is passed, nothing is recorded
    QUEUED = "queued"
    CLAIMED = "claimed"  # the attempt is counted
    # In the worker.
    PART_BEGUN = "part_begun"  # the part is there and empty
    PART_WRITTEN = "part_written"  # whole and verified, not yet told of
    # The publish protocol.
    PART_SYNCED = "part_synced"
    PUBLISHING = "publishing"  # the name and hash of the output are committed
    LINKED = "linked"  # the output has its name, the part is still there
    NAMED = "named"  # the part is gone
    DONE = "done"
    # The source's way out, of done and of failed jobs.
    FAILED = "failed"
    DISPOSAL_PLANNED = "disposal_planned"
    RESERVED = "reserved"  # an empty file holds the source's new name
    COPIED = "copied"  # across file systems: the copy is whole, the source still there
    MOVED = "moved"  # not yet recorded
    PROFILE_MOVED = "profile_moved"  # NAME.toml has followed
    RECORD_WRITTEN = "record_written"  # NAME.error.json is there
    DISPOSED = "disposed"
    # A failed job's way back.
    RETRY_PLANNED = "retry_planned"
    RETRY_MOVED = "retry_moved"  # the file is in the inbox
    RECORD_REMOVED = "record_removed"
    RETRIED = "retried"


#: What to do at a point; set by tests only.
on_reach: Callable[[Failpoint], None] | None = None


def reach(point: Failpoint) -> None:
    """Pass a point."""
    if on_reach is not None:
        on_reach(point)
