"""Job: one image's way through the daemon, as the ledger records it."""

from dataclasses import dataclass
from enum import StrEnum

from zssr_daemon.system.file_identity import FileIdentity


class JobState(StrEnum):
    """Where a job is; it only ever moves to a later state, or back to `queued`."""

    QUEUED = "queued"
    RUNNING = "running"
    PUBLISHING = "publishing"
    DONE = "done"
    FAILED = "failed"


class Disposal(StrEnum):
    """What became of the source of an ended job; the first three are values of `on_success`."""

    ARCHIVE = "archive"
    KEEP = "keep"
    DELETE = "delete"
    FAILED = "failed"
    RERUN = "rerun"  # kept in the inbox and retried on request: the next scan makes a new job
    RETRY = "retry"  # back in the inbox on request: the gate will queue it under the same id


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
    attempts: int  # begun so far, the current one included
    not_before: float  # it is not claimed earlier than this
    settings_hash: str | None  # of the settings it was queued with, or last begun with
    out_rel: str | None  # below the output folder
    out_sha256: str | None
    disposal: Disposal | None  # None until the source is disposed of
    disposal_rel: str | None  # where the source went, below archive/ or failed/
    reason: str | None  # a `Reason`, or a word that another version wrote

    message: str | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    lane: int = 0  # jobs of a higher lane are claimed first
    result_kept_s: float | None = None  # after the end; None keeps the result for ever
    expires_at: float | None = None  # when the result is to be removed
