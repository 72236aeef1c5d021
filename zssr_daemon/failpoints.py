"""Failpoints: named places between two durable steps, at which a test kills the process.

The program itself never sets `on_reach`, so that in production a failpoint does nothing. A test
runs the daemon by a script of its own that sets it; spawned children run the top level of that
script too, so that their failpoints act as well.
"""

from collections.abc import Callable
from enum import StrEnum


class Failpoint(StrEnum):
    """Each place, named after the step that has just been done."""

    # From the inbox to a worker.
    PROBED = "probed"  # the file has passed the gate, and nothing is recorded yet
    QUEUED = "queued"
    CLAIMED = "claimed"  # the attempt is counted
    # In the worker.
    PART_BEGUN = "part_begun"  # the part is there and empty
    PART_WRITTEN = "part_written"  # the part is whole and verified, and not yet reported
    # The publish protocol.
    PART_SYNCED = "part_synced"
    PUBLISHING = "publishing"  # the name and hash of the output are committed
    LINKED = "linked"  # the output has its name, and the part is still there
    NAMED = "named"  # the part is gone
    DONE = "done"
    # A running job that an administrator stops.
    CANCEL_ASKED = "cancel_asked"  # that is recorded, and its worker has not heard of it
    # The source's way out, of done and of failed jobs.
    FAILED = "failed"
    DISPOSAL_PLANNED = "disposal_planned"
    RESERVED = "reserved"  # an empty file holds the source's new name
    COPIED = "copied"  # across file systems: the copy is whole, and the source still there
    MOVED = "moved"  # the source is moved, and that is not recorded yet
    PROFILE_MOVED = "profile_moved"  # NAME.toml, or a sidecar, has followed
    RECORD_WRITTEN = "record_written"  # NAME.error.json is there
    DISPOSED = "disposed"
    # A failed job's way back.
    RETRY_PLANNED = "retry_planned"
    RETRY_MOVED = "retry_moved"  # the file is in the inbox again
    RECORD_REMOVED = "record_removed"
    RETRIED = "retried"
    # In the process of the web page; LINKED comes before the last one.
    UPLOAD_BEGUN = "upload_begun"  # the hidden part is there and empty
    UPLOAD_SYNCED = "upload_synced"  # the part is whole and durable, and has no name yet
    UPLOADED = "uploaded"  # the file has its name, and the browser does not know it yet


#: What to do at a point; set by tests only.
on_reach: Callable[[Failpoint], None] | None = None


def reach(point: Failpoint) -> None:
    """Call `on_reach`, where a test has set it."""
    if on_reach is not None:
        on_reach(point)
