"""Ledger: the durable record of every job, in SQLite, written by the supervisor alone.

Each public method that changes something is one transaction, durable when it returns
(`synchronous=EXTRA`: the last commit survives a power cut). Claiming changes a state, never
deletes. Losing the ledger costs repeated work and history, never a picture.
"""

import errno
import os
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from zssr_daemon.errors import LedgerLostError, Reason
from zssr_daemon.ledger.database import DAMAGED, SCHEMA_VERSION, open_file, open_file_to_read
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.system.file_identity import FileIdentity

_BLOCKING = "(state IN ('queued', 'running', 'publishing') OR disposal IS NULL)"
_PATHS = frozenset({"src_rel", "out_rel", "disposal_rel"})  # bytes in the file, str outside

#: What SQLite reports of the disk, as the system would: the supervisor pauses on it.
_ERRNOS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
}
#: What a job that begins anew leaves behind.
_UNTOUCHED: dict[str, Any] = dict.fromkeys(
    ("disposal", "reason", "message", "started_at", "finished_at")
)

_IDENTITY = tuple(field.name for field in fields(FileIdentity))


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderMark:
    """By what a folder is known again: its mark, and where its file system was mounted then."""

    token: str
    mount_point: str  # in `os.fsdecode` form


class Ledger:
    """The job store of one state folder.

    Any method may raise OSError, when the disk below fails, and LedgerLostError, when the file
    was damaged or taken away under the running daemon.
    """

    def __init__(self, connection: sqlite3.Connection, set_aside: Path | None = None) -> None:
        self._db = connection
        self.set_aside = set_aside  # where a damaged ledger lies that this one replaces
        self._db.row_factory = sqlite3.Row
        self._prefers_retry = False

    @classmethod
    def open(cls, state_folder: Path) -> Self:
        """Open for writing, and bring an older schema up to date; the caller holds the lock.

        Where there is none, or a damaged one, an empty ledger is begun: every picture without an
        output is in the inbox still, and is found by the next scan.

        Raises:
            SettingsError: the file cannot be read, or a newer version wrote it.
            OSError: a damaged ledger cannot be moved out of the way.
        """
        return cls(*open_file(state_folder))

    @classmethod
    def open_to_read(cls, state_folder: Path) -> Self:
        """Open read-only, beside a running daemon.

        Raises:
            SettingsError: there is no ledger yet, or the file is none.
        """
        return cls(open_file_to_read(state_folder))

    def close(self) -> None:
        """Close the file; everything is durable already."""
        self._db.close()

    # -- looking up ---------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """Return one job by its full id, or raise KeyError."""
        found = self._select("id = ?", [job_id])
        if not found:
            raise KeyError(job_id)
        return found[0]

    def blocking(self) -> list[Job]:
        """Return the jobs whose source must not be queued again, oldest first."""
        return self._select_blocking()

    def is_blocking(self, identity: FileIdentity) -> bool:
        """Tell whether this file has a job that is not over."""
        where, values = "dev = ? AND ino = ?", [str(identity.dev), str(identity.ino)]
        return bool(self._select_blocking(where, values))

    def is_kept(self, identity: FileIdentity) -> bool:
        """Tell whether a job is done with exactly this file and left it in the inbox."""
        where = "state = 'done' AND disposal = 'keep' AND " + _same(_IDENTITY)
        values = list(_columns_of(identity).values())
        return bool(self._select(where, values, table="jobs INDEXED BY jobs_identity"))

    def kept(self, src_rel: str, identity: FileIdentity, sha256: str) -> Job | None:
        """Return the job that is done with this path and content, whatever device it is on now."""
        where = "state = 'done' AND disposal = 'keep' AND src_rel = ? AND sha256 = ?"
        where += " AND size = ? AND mtime_ns = ?"
        size, mtime_ns = str(identity.size), str(identity.mtime_ns)
        values = [os.fsencode(src_rel), sha256, size, mtime_ns]
        found = self._select(where, values, table="jobs INDEXED BY jobs_kept")
        return found[0] if found else None

    def folder_mark(self, folder: Path) -> FolderMark | None:
        """Return how a folder was marked; None of one that is new."""
        sql = "SELECT token, mount_point FROM folders WHERE path = ?"
        rows = self._execute(sql, [os.fsencode(folder)])
        return FolderMark(token=rows[0][0], mount_point=os.fsdecode(rows[0][1])) if rows else None

    def in_state(self, *states: JobState) -> list[Job]:
        """Return the jobs in any of `states`, oldest first."""
        marks = ", ".join("?" for _ in states)
        return self._select(f"state IN ({marks})", list(states))

    def undisposed(self) -> list[Job]:
        """Return the ended jobs whose source is still to be moved away, oldest first."""
        return self._select_blocking("state IN ('done', 'failed') AND disposal IS NULL")

    def newest(self, state: JobState | None = None, *, limit: int = 100) -> list[Job]:
        """Return up to `limit` jobs, newest first."""
        where, values = ("state = ?", [state]) if state else ("1", [])
        return self._select(where, [*values, limit], "created_at DESC, rowid DESC LIMIT ?")

    def find(self, id_prefix: str) -> list[Job]:
        """Return the jobs whose id begins with `id_prefix`."""
        beyond = id_prefix + "~"  # which comes after every letter and digit
        return self._select("id >= ? AND id < ?", [id_prefix, beyond])

    def count(self, *states: JobState) -> int:
        """Count the jobs in any of `states`; of live ones, in a time that no history lengthens."""
        marks = ", ".join("?" for _ in states)
        rows = self._execute(f"SELECT count(*) FROM jobs WHERE state IN ({marks})", states)
        return int(rows[0][0])

    def oldest_queued_at(self) -> float | None:
        """Return when the job was queued that waits longest."""
        rows = self._execute("SELECT min(created_at) FROM jobs WHERE state = 'queued'")
        return None if rows[0][0] is None else float(rows[0][0])

    def kept_settings(self, settings_hash: str) -> str | None:
        """Return what `keep_settings` was given under a hash; None of one that is not known."""
        rows = self._execute("SELECT tables FROM settings WHERE hash = ?", [settings_hash])
        return None if not rows else str(rows[0][0])

    def prove(self) -> None:
        """Write and sync without changing anything: it fails where the next commit would."""
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
        """Queue a file that passed the gate; one that is tried again keeps its job's id.

        Raises:
            sqlite3.IntegrityError: the file is known already and its job not over.
        """
        values: dict[str, Any] = {
            **_columns_of(identity),
            "sha256": sha256,
            "width": width,
            "height": height,
            "settings_hash": settings_hash,
            "state": JobState.QUEUED,
            "created_at": now,
        }
        table = "jobs INDEXED BY jobs_retry"
        where = "disposal = 'retry' AND src_rel = ?"
        former = self._select(where, [os.fsencode(src_rel)], table=table)
        if former:
            return self._set(former[-1].id, **values, **_UNTOUCHED)
        job_id = uuid.uuid4().hex
        values |= {"id": job_id, "src_rel": os.fsencode(src_rel)}
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        self._execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", values)
        return self.get(job_id)

    def claim(self, *, now: float) -> Job | None:
        """Take the next job: its attempt is counted, durably, before anything runs.

        New and retried jobs are taken alternately, so that a poisonous one delays nobody.
        """
        job = self._next(now, is_retry=self._prefers_retry) or self._next(
            now, is_retry=not self._prefers_retry
        )
        if job is None:
            return None
        self._prefers_retry = job.attempts == 0
        return self._set(
            job.id,
            state=JobState.RUNNING,
            attempts=job.attempts + 1,
            started_at=now,
        )

    def keep_settings(self, settings_hash: str, tables: str) -> None:
        """Keep settings under their hash, before any job is said to be made with them."""
        sql = "INSERT OR IGNORE INTO settings VALUES (?, ?)"
        self._execute(sql, [settings_hash, tables])

    def use_settings(self, job_id: str, settings_hash: str) -> Job:
        """Record with which settings an attempt begins; often those it was queued with."""
        job = self.get(job_id)
        is_same = job.settings_hash == settings_hash
        return job if is_same else self._set(job_id, settings_hash=settings_hash)

    def requeue(self, job_id: str, *, not_before: float = 0.0) -> Job:
        """Put an interrupted job back: nothing was its fault, so its attempt is given back."""
        attempts = max(0, self.get(job_id).attempts - 1)
        return self._set(job_id, state=JobState.QUEUED, attempts=attempts, not_before=not_before)

    def retry(self, job_id: str, *, not_before: float, reason: Reason, message: str) -> Job:
        """Put a job back whose attempt failed; the attempt stays counted."""
        return self._set(
            job_id,
            state=JobState.QUEUED,
            not_before=not_before,
            reason=reason,
            message=message,
        )

    def adopt(self, job_id: str, identity: FileIdentity) -> Job:
        """Know a source again that has the same content behind another device, inode or time.

        Raises:
            sqlite3.IntegrityError: another job that is not over has that device and inode.
        """
        return self._set(job_id, **_columns_of(identity))

    def mark_folder(self, folder: Path, mark: FolderMark) -> None:
        """Remember how a folder is marked."""
        values = [os.fsencode(folder), mark.token, os.fsencode(mark.mount_point)]
        self._execute("INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", values)

    def rename(self, job_id: str, src_rel: str) -> Job:
        """Follow a source that was renamed within the inbox."""
        return self._set(job_id, src_rel=src_rel)

    def publishing(self, job_id: str, *, out_rel: str, out_sha256: str) -> Job:
        """Commit the name of the output before that name is tried."""
        return self._set(job_id, state=JobState.PUBLISHING, out_rel=out_rel, out_sha256=out_sha256)

    def done(self, job_id: str, *, now: float) -> Job:
        """Record that the output is durable; the source is still to be disposed of."""
        return self._set(job_id, state=JobState.DONE, finished_at=now, reason=None, message=None)

    def fail(self, job_id: str, *, now: float, reason: Reason, message: str) -> Job:
        """Record the end of a job without an output."""
        return self._set(
            job_id, state=JobState.FAILED, finished_at=now, reason=reason, message=message
        )

    def plan_disposal(self, job_id: str, rel: str) -> Job:
        """Commit where the source is about to go, before that name is tried."""
        return self._set(job_id, disposal_rel=rel)

    def disposed(self, job_id: str, disposal: Disposal) -> Job:
        """Record what became of the source; nothing is left to do for this job."""
        return self._set(job_id, disposal=disposal)

    def plan_retry(self, job_id: str, *, src_rel: str, identity: FileIdentity) -> Job:
        """Commit where a failed job's source goes back to, before it is moved.

        From here on it counts as still to be moved away, so that recovery undoes an interrupted
        retry. A file that was mended meanwhile is known by what it is now.

        Raises:
            sqlite3.IntegrityError: another job that is not over has that device and inode.
        """
        job = self.get(job_id)
        sha256 = job.sha256 if job.identity == identity else None
        columns = {**_columns_of(identity), "sha256": sha256, "disposal": None}
        return self._set(job_id, src_rel=src_rel, **columns)

    def undo_retry(self, job_id: str, *, src_rel: str) -> Job:
        """Record that the source is in failed/ still."""
        return self._set(job_id, src_rel=src_rel, disposal=Disposal.FAILED)

    def retried(self, job_id: str) -> Job:
        """Record that the source is back in the inbox: the gate queues it again under this id."""
        return self._set(
            job_id, disposal=Disposal.RETRY, disposal_rel=None, attempts=0, not_before=0.0
        )

    def forget(self, job_id: str) -> None:
        """Drop a live job whose source has changed; the changed file is queued as a new job."""
        self._execute("DELETE FROM jobs WHERE id = ?", [job_id])

    # -- inside -------------------------------------------------------------------------------

    def _next(self, now: float, *, is_retry: bool) -> Job | None:
        where = f"state = 'queued' AND not_before <= ? AND attempts {'>' if is_retry else '='} 0"
        found = self._select(where, [now], "created_at, rowid LIMIT 1")
        return found[0] if found else None

    def _select(
        self,
        where: str,
        values: Iterable[Any] = (),
        order: str = "created_at, rowid",
        table: str = "jobs",
    ) -> list[Job]:
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY {order}"
        return [_job(row) for row in self._execute(sql, tuple(values))]

    def _select_blocking(self, which: str = "1", values: Iterable[Any] = ()) -> list[Job]:
        """Select among the jobs that are not over; the index of these alone knows no history."""
        table = "jobs INDEXED BY jobs_blocking"
        return self._select(f"{_BLOCKING} AND {which}", values, table=table)

    def _execute(
        self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[sqlite3.Row]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            kind = error.sqlite_errorcode & 0xFF  # the low byte
            if kind in DAMAGED or _is_taken_away(error):
                raise LedgerLostError(f"the ledger was lost while in use: {error}") from error
            if kind not in _ERRNOS:
                raise
            raise OSError(_ERRNOS[kind], f"ledger: {error}") from error

    def _set(self, job_id: str, **columns: Any) -> Job:
        values = {
            name: os.fsencode(value) if name in _PATHS and value is not None else value
            for name, value in columns.items()
        }
        setters = ", ".join(f"{name} = :{name}" for name in values)
        self._execute(f"UPDATE jobs SET {setters} WHERE id = :id", values | {"id": job_id})
        return self.get(job_id)


def _is_taken_away(error: sqlite3.DatabaseError) -> bool:
    """Tell whether the file was moved, or emptied: then it is a good one, without any table."""
    is_moved = error.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED
    return is_moved or str(error).startswith("no such table")


def _same(names: Iterable[str]) -> str:
    return " AND ".join(f"{name} = ?" for name in names)


def _columns_of(identity: FileIdentity) -> dict[str, str]:
    return {name: str(getattr(identity, name)) for name in _IDENTITY}


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    identity = FileIdentity(**{name: int(values.pop(name)) for name in _IDENTITY})
    for name in _PATHS:
        values[name] = None if values[name] is None else os.fsdecode(values[name])
    values["state"] = JobState(values["state"])
    values["disposal"] = None if values["disposal"] is None else Disposal(values["disposal"])
    return Job(identity=identity, **values)
