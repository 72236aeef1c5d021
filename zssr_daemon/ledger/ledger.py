"""Ledger: the durable record of every job, in SQLite, written by the supervisor alone.

Each public method that changes something is one transaction, durable when it returns
(`synchronous=EXTRA`: the last commit survives a power cut). Claiming changes a state and deletes
nothing. Losing the ledger costs repeated work and history, never a picture.
"""

import os
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from zssr_daemon.errors import Reason
from zssr_daemon.ledger.admission import Admissions
from zssr_daemon.ledger.database import SCHEMA_VERSION, open_file, open_file_to_read
from zssr_daemon.ledger.folder_mark import FolderMarks
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.ledger.job_table import JobTable
from zssr_daemon.ledger.listing import Listing
from zssr_daemon.ledger.queue import Queue
from zssr_daemon.ledger.rows import IDENTITY_COLUMNS, identity_columns
from zssr_daemon.ledger.statements import run_sql
from zssr_daemon.system.file_identity import FileIdentity

#: What is cleared when a job is queued again after a retry by an administrator.
_CLEARED: dict[str, Any] = dict.fromkeys(
    ("disposal", "reason", "message", "started_at", "finished_at")
)


class Ledger:
    """The job store of one state folder.

    Any method may raise OSError, when the disk fails, and LedgerLostError, when the file was
    damaged or taken away under the running daemon.
    """

    def __init__(self, connection: sqlite3.Connection, set_aside: Path | None = None) -> None:
        connection.row_factory = sqlite3.Row
        self._db = connection
        self._jobs = JobTable(connection)
        self._queue = Queue(self._jobs)
        self.listing = Listing(connection)
        self.admissions = Admissions(connection)
        self.folder_marks = FolderMarks(connection)
        self.set_aside = set_aside  # where a damaged ledger lies that this one replaces

    @classmethod
    def open(cls, state_folder: Path) -> Self:
        """Open for writing, and bring an older schema up to date; the caller holds the lock.

        Where there is no ledger, or a damaged one, an empty one is begun: every picture without
        an output is still in the inbox, and the next scan finds it.

        Raises:
            SettingsError: the file cannot be read, or a newer version wrote it.
            OSError: a damaged ledger cannot be moved out of the way.
        """
        return cls(*open_file(state_folder))

    @classmethod
    def open_to_read(cls, state_folder: Path) -> Self:
        """Open read-only, beside a running daemon.

        Raises:
            SettingsError: there is no ledger yet, or the file is not a ledger.
        """
        return cls(open_file_to_read(state_folder))

    def close(self) -> None:
        """Close the file; everything is durable already."""
        self._db.close()

    # -- looking up ---------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """Return one job by its full id, or raise KeyError."""
        return self._jobs.get(job_id)

    def find(self, id_prefix: str) -> list[Job]:
        """Return the jobs whose id begins with `id_prefix`."""
        beyond = id_prefix + "~"  # sorts after every letter and digit
        return self._jobs.select("id >= ? AND id < ?", [id_prefix, beyond])

    def newest(self, state: JobState | None = None, *, limit: int = 100) -> list[Job]:
        """Return up to `limit` jobs, newest first."""
        where, values = ("state = ?", [state]) if state else ("1", [])
        return self._jobs.select(
            where, [*values, limit], order="created_at DESC, rowid DESC LIMIT ?"
        )

    def in_state(self, *states: JobState) -> list[Job]:
        """Return the jobs in any of `states`, oldest first."""
        return self._jobs.select_states(states)

    def count(self, *states: JobState) -> int:
        """Count the jobs in any of `states`; for live ones the time is independent of history."""
        return self._jobs.count(states)

    def oldest_queued_at(self) -> float | None:
        """Return when the job was queued that has waited longest."""
        rows = self._execute("SELECT min(created_at) FROM jobs WHERE state = 'queued'")
        return None if rows[0][0] is None else float(rows[0][0])

    def blocking(self) -> list[Job]:
        """Return the jobs whose source must not be queued again, oldest first."""
        return self._jobs.select_blocking()

    def is_blocking(self, identity: FileIdentity) -> bool:
        """Tell whether this file has a job that is not over."""
        where, values = "dev = ? AND ino = ?", [str(identity.dev), str(identity.ino)]
        return bool(self._jobs.select_blocking(where, values))

    def undisposed(self) -> list[Job]:
        """Return the ended jobs whose source is still to be moved away, oldest first."""
        return self._jobs.select_blocking("state IN ('done', 'failed') AND disposal IS NULL")

    def expired(self, now: float) -> list[Job]:
        """Return the jobs whose result is to be removed by now."""
        return self._jobs.select("expires_at <= ?", [now], index="jobs_expiring")

    def is_kept(self, identity: FileIdentity) -> bool:
        """Tell whether a job has ended with exactly this file and left it in the inbox."""
        is_same = " AND ".join(f"{name} = ?" for name in IDENTITY_COLUMNS)
        where = f"disposal = 'keep' AND {is_same}"
        values = list(identity_columns(identity).values())
        return bool(self._jobs.select(where, values, index="jobs_identity"))

    def kept(self, src_rel: str, identity: FileIdentity, sha256: str | None) -> Job | None:
        """Return the job that ended with this path and content, whatever device it is on now.

        A file that was refused has no `sha256`.
        """
        where = "disposal = 'keep' AND src_rel = ? AND sha256 IS ?"
        where += " AND size = ? AND mtime_ns = ?"
        values = [os.fsencode(src_rel), sha256, str(identity.size), str(identity.mtime_ns)]
        found = self._jobs.select(where, values, index="jobs_kept")
        return found[0] if found else None

    def kept_settings(self, settings_hash: str) -> str | None:
        """Return what `keep_settings` stored under a hash; None when it stored nothing there."""
        rows = self._execute("SELECT tables FROM settings WHERE hash = ?", [settings_hash])
        return None if not rows else str(rows[0][0])

    def prove(self) -> None:
        """Write and sync without changing anything: this fails where the next commit would."""
        self._execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    # -- changing -----------------------------------------------------------------------------

    def add(
        self,
        src_rel: str,
        identity: FileIdentity,
        *,
        now: float,
        sha256: str | None = None,
        width: int | None = None,
        height: int | None = None,
        settings_hash: str | None = None,
    ) -> Job:
        """Queue a file that passed the gate; one that an administrator retries keeps its job's id.

        The job gets what the file's admission asks for, if it has one.

        Raises:
            sqlite3.IntegrityError: the file is known already, and its job is not over.
        """
        values: dict[str, Any] = {
            **identity_columns(identity),
            "sha256": sha256,
            "width": width,
            "height": height,
            "settings_hash": settings_hash,
            "state": JobState.QUEUED,
            "created_at": now,
        }
        admission = self.admissions.of(identity)
        if admission is not None:
            values |= asdict(admission)
        job = self._insert(src_rel, values)
        if admission is not None:
            self.admissions.forget(identity)
        return job

    def _insert(self, src_rel: str, values: dict[str, Any]) -> Job:
        where = "disposal = 'retry' AND src_rel = ?"
        former = self._jobs.select(where, [os.fsencode(src_rel)], index="jobs_retry")
        if former:
            return self._jobs.update(former[-1].id, **values, **_CLEARED)
        return self._jobs.insert(id=uuid.uuid4().hex, src_rel=src_rel, **values)

    def claim(self, *, now: float) -> Job | None:
        """Take the next job: its attempt is counted, durably, before anything runs."""
        job = self._queue.next(now)
        if job is None:
            return None
        return self._jobs.update(
            job.id, state=JobState.RUNNING, attempts=job.attempts + 1, started_at=now
        )

    def keep_settings(self, settings_hash: str, tables: str) -> None:
        """Store settings under their hash, before any job refers to them."""
        sql = "INSERT OR IGNORE INTO settings VALUES (?, ?)"
        self._execute(sql, [settings_hash, tables])

    def use_settings(self, job_id: str, settings_hash: str) -> Job:
        """Record which settings an attempt begins with; often those the job was queued with."""
        job = self.get(job_id)
        is_same = job.settings_hash == settings_hash
        return job if is_same else self._jobs.update(job_id, settings_hash=settings_hash)

    def requeue(self, job_id: str, *, not_before: float = 0.0) -> Job:
        """Put an interrupted job back: it was not at fault, so this attempt does not count."""
        attempts = max(0, self.get(job_id).attempts - 1)
        return self._jobs.update(
            job_id, state=JobState.QUEUED, attempts=attempts, not_before=not_before
        )

    def reattempt(self, job_id: str, *, not_before: float, reason: Reason, message: str) -> Job:
        """Put a job back whose attempt failed; the attempt stays counted."""
        return self._jobs.update(
            job_id,
            state=JobState.QUEUED,
            not_before=not_before,
            reason=reason,
            message=message,
        )

    def adopt(self, job_id: str, identity: FileIdentity) -> Job:
        """Recognise a source that has the same content behind another device, inode or time.

        Raises:
            sqlite3.IntegrityError: another job that is not over has that device and inode.
        """
        return self._jobs.update(job_id, **identity_columns(identity))

    def rename(self, job_id: str, src_rel: str) -> Job:
        """Follow a source that was renamed within the inbox."""
        return self._jobs.update(job_id, src_rel=src_rel)

    def publishing(self, job_id: str, *, out_rel: str, out_sha256: str) -> Job:
        """Commit the name of the output before that name is tried."""
        return self._jobs.update(
            job_id, state=JobState.PUBLISHING, out_rel=out_rel, out_sha256=out_sha256
        )

    def done(self, job_id: str, *, now: float) -> Job:
        """Record that the output is durable; the source is still to be disposed of."""
        kept_s = self.get(job_id).result_kept_s
        return self._jobs.update(
            job_id,
            state=JobState.DONE,
            finished_at=now,
            expires_at=None if kept_s is None else now + kept_s,
            reason=None,
            message=None,
        )

    def tell(self, job_id: str, message: str) -> Job:
        """Keep what a reader of the ledger should know of a job that is done."""
        return self._jobs.update(job_id, message=message)

    def fail(self, job_id: str, *, now: float, reason: Reason, message: str) -> Job:
        """Record the end of a job without an output."""
        return self._jobs.update(
            job_id, state=JobState.FAILED, finished_at=now, reason=reason, message=message
        )

    def ask_cancel(self, job_id: str, *, message: str) -> Job:
        """Record that a running job is to be stopped, so that a crash does not begin it again."""
        return self._jobs.update(job_id, reason=Reason.CANCELLED, message=message)

    def result_removed(self, job_id: str) -> Job:
        """Record that the output of a done job was removed when its time was over."""
        return self._jobs.update(job_id, out_rel=None, expires_at=None)

    def plan_disposal(self, job_id: str, rel: str) -> Job:
        """Commit where the source is about to go, before that name is tried."""
        return self._jobs.update(job_id, disposal_rel=rel)

    def disposed(self, job_id: str, disposal: Disposal) -> Job:
        """Record what became of the source; nothing is left to do for this job."""
        return self._jobs.update(job_id, disposal=disposal)

    def plan_retry(self, job_id: str, *, src_rel: str, identity: FileIdentity) -> Job:
        """Commit where the source of a failed job goes back to, before an administrator's retry.

        From here on the source counts as still to be moved away, so that recovery undoes an
        interrupted retry. A file that was mended meanwhile is known by its present identity.

        Raises:
            sqlite3.IntegrityError: another job that is not over has that device and inode.
        """
        job = self.get(job_id)
        sha256 = job.sha256 if job.identity == identity else None
        columns = {**identity_columns(identity), "sha256": sha256, "disposal": None}
        return self._jobs.update(job_id, src_rel=src_rel, **columns)

    def undo_retry(self, job_id: str, *, src_rel: str) -> Job:
        """Record that the source is still in failed/."""
        return self._jobs.update(job_id, src_rel=src_rel, disposal=Disposal.FAILED)

    def retried(self, job_id: str) -> Job:
        """Record that the source is back in the inbox: the gate queues it again under this id."""
        return self._jobs.update(
            job_id, disposal=Disposal.RETRY, disposal_rel=None, attempts=0, not_before=0.0
        )

    def forget(self, job_id: str) -> None:
        """Delete a live job whose source has changed; the changed file is queued as a new job."""
        self._jobs.delete(job_id)

    # -- inside ---------------------------------------------------------------------------------

    def _execute(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        return run_sql(self._db, sql, values)
