"""Job: one image's way through the daemon, as the ledger knows it."""

from dataclasses import dataclass
from enum import StrEnum

from zssr_daemon.system.file_identity import FileIdentity


class JobState(StrEnum):
    """Where a job is; a job only ever moves on or back to `queued`."""

    QUEUED = "queued"
    RUNNING = "running"
    PUBLISHING = "publishing"
    DONE = "done"
    FAILED = "failed"


class Disposal(StrEnum):
    """What became of the source of an ended job; the first three are `[output] on_success`."""

    ARCHIVE = "archive"
    KEEP = "keep"
    DELETE = "delete"
    FAILED = "failed"
    RERUN = "rerun"  # it was kept in the inbox; another job makes it anew
    RETRY = "retry"  # back in the inbox, where the gate will queue it again


LIVE_STATES = (JobState.QUEUED, JobState.RUNNING, JobState.PUBLISHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A row of the ledger.

    Paths are relative to their folder, in `os.fsdecode` form: any bytes are legal in them.
    Times are seconds since the epoch (UTC).
    """

    id: str
    src_rel: str  # below the inbox
    identity: FileIdentity
    sha256: str | None  # of the source; None when it could not be read
    width: int | None  # source pixels, after orientation
    height: int | None
    state: JobState
    attempts: int  # begun so far, this one included
    not_before: float  # not claimed earlier than this
    settings_hash: str | None  # of what shapes the output, as queued or as begun last
    out_rel: str | None  # below the output folder
    out_sha256: str | None
    disposal: Disposal | None  # what became of the source; None while that is still to do
    disposal_rel: str | None  # where it went, below archive/ or failed/
    reason: str | None  # a `Reason`, or a word of another version
    message: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
