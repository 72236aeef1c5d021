"""Ledger: the durable record of every job, in SQLite, written by the supervisor alone.

Each public method that changes something is one transaction, durable when it returns
(`synchronous=EXTRA`: the last commit survives a power cut). Claiming changes a state, never
deletes. Losing the ledger costs repeated work and history, never a picture.
"""

import errno
import fcntl
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from zssr_daemon import durable
from zssr_daemon.errors import LedgerLockedError, SettingsError
from zssr_daemon.identity import FileIdentity
from zssr_daemon.jobs import Job, JobState

SCHEMA_VERSION = 1
LEDGER_NAME = "ledger.sqlite3"
LOCK_NAME = "daemon.lock"

# Blocking: the file is known, and a scan must not queue it again. That is every live job, and
# every ended one whose source is still to be moved away.
# Identities are text: inodes of network shares and times after 2262 exceed SQLite's integers.
_SCHEMA = f"""
CREATE TABLE jobs (
  id TEXT PRIMARY KEY, src_rel BLOB NOT NULL,
  dev TEXT NOT NULL, ino TEXT NOT NULL, size TEXT NOT NULL, mtime_ns TEXT NOT NULL,
  sha256 TEXT, width INTEGER, height INTEGER,
  state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, not_before REAL NOT NULL DEFAULT 0,
  settings_hash TEXT, out_rel BLOB, out_sha256 TEXT, disposal TEXT, disposal_rel BLOB,
  reason TEXT, message TEXT,
  created_at REAL NOT NULL, started_at REAL, finished_at REAL
) STRICT;
CREATE UNIQUE INDEX jobs_blocking ON jobs (dev, ino)
  WHERE state IN ('queued', 'running', 'publishing') OR disposal IS NULL;
CREATE INDEX jobs_identity ON jobs (dev, ino, size, mtime_ns);
CREATE INDEX jobs_claim ON jobs (state, attempts, not_before, created_at);
CREATE INDEX jobs_created ON jobs (created_at);
PRAGMA user_version = {SCHEMA_VERSION};
"""

_BLOCKING = "(state IN ('queued', 'running', 'publishing') OR disposal IS NULL)"
_PATHS = frozenset({"src_rel", "out_rel", "disposal_rel"})  # bytes in the file, str outside

#: What SQLite says of a file whose content is damaged; every other fault is the disk's.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

#: What SQLite reports of the disk, as the system would: the supervisor pauses on it.
_ERRNOS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
}
_IDENTITY = tuple(field.name for field in fields(FileIdentity))


class Ledger:
    """The job store of one state folder.

    Any method may raise OSError, when the disk below fails.
    """

    def __init__(self, connection: sqlite3.Connection, set_aside: Path | None = None) -> None:
        self._db = connection
        self.set_aside = set_aside  # where a damaged ledger lies that this one replaces
        self._db.row_factory = sqlite3.Row
        self._prefers_retry = False

    @classmethod
    def open(cls, state_folder: Path) -> Self:
        """Open for writing; the caller holds the lock.

        Where there is none, or a damaged one, an empty ledger is begun: every picture without an
        output is in the inbox still, and is found by the next scan.

        Raises:
            SettingsError: the file cannot be read, or a newer version wrote it.
            OSError: a damaged ledger cannot be moved out of the way.
        """
        path = state_folder / LEDGER_NAME
        set_aside = _set_aside(path) if _is_damaged(path) else None
        with _faults_explained(path):
            db = sqlite3.connect(path, isolation_level=None)
            db.execute("PRAGMA busy_timeout = 10000")
            db.execute("PRAGMA journal_mode = DELETE")
            db.execute("PRAGMA synchronous = EXTRA")
            _create_or_check(db, path)
        return cls(db, set_aside)

    @classmethod
    def open_to_read(cls, state_folder: Path) -> Self:
        """Open read-only, beside a running daemon.

        Raises:
            SettingsError: there is no ledger yet, or the file is none.
        """
        path = state_folder / LEDGER_NAME
        if not path.is_file():
            raise SettingsError(f"{path}: no ledger yet; it is made by the first `run`")
        with _faults_explained(path):
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            _check_version(db, path)
        return cls(db)

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

    def blocking(self) -> dict[tuple[int, int], Job]:
        """Return the jobs whose source must not be queued again, by (dev, ino)."""
        return {(job.identity.dev, job.identity.ino): job for job in self._select(_BLOCKING)}

    def is_blocking(self, identity: FileIdentity) -> bool:
        """Tell whether this file has a job that is not over."""
        where = f"dev = ? AND ino = ? AND {_BLOCKING}"
        return bool(self._select(where, [str(identity.dev), str(identity.ino)]))

    def is_kept(self, identity: FileIdentity) -> bool:
        """Tell whether a job is done with exactly this file and left it in the inbox."""
        where = "state = 'done' AND disposal = 'keep' AND " + _same(_IDENTITY)
        return bool(self._select(where, list(_columns_of(identity).values())))

    def in_state(self, *states: JobState) -> list[Job]:
        """Return the jobs in any of `states`, oldest first."""
        marks = ", ".join("?" for _ in states)
        return self._select(f"state IN ({marks})", list(states))

    def undisposed(self) -> list[Job]:
        """Return the ended jobs whose source is still to be moved away, oldest first."""
        return self._select("state IN ('done', 'failed') AND disposal IS NULL")

    def newest(self, state: JobState | None = None, *, limit: int = 100) -> list[Job]:
        """Return up to `limit` jobs, newest first."""
        where, values = ("state = ?", [state]) if state else ("1", [])
        return self._select(where, [*values, limit], "created_at DESC, rowid DESC LIMIT ?")

    def find(self, id_prefix: str) -> list[Job]:
        """Return the jobs whose id begins with `id_prefix`."""
        return self._select("substr(id, 1, ?) = ?", [len(id_prefix), id_prefix])

    def count(self, *states: JobState) -> int:
        """Count the jobs in any of `states`; of live ones, in a time that no history lengthens."""
        marks = ", ".join("?" for _ in states)
        rows = self._execute(f"SELECT count(*) FROM jobs WHERE state IN ({marks})", states)
        return int(rows[0][0])

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
    ) -> Job:
        """Queue a file that passed the gate.

        Raises:
            sqlite3.IntegrityError: the file is known already and its job not over.
        """
        job_id = uuid.uuid4().hex
        values: dict[str, Any] = {
            **_columns_of(identity),
            "id": job_id,
            "src_rel": os.fsencode(src_rel),
            "sha256": sha256,
            "width": width,
            "height": height,
            "state": JobState.QUEUED,
            "created_at": now,
        }
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        self._execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", values)
        return self.get(job_id)

    def claim(self, *, now: float, settings_hash: str) -> Job | None:
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
            settings_hash=settings_hash,
        )

    def requeue(self, job_id: str, *, not_before: float = 0.0) -> Job:
        """Put an interrupted job back: nothing was its fault, so its attempt is given back."""
        attempts = max(0, self.get(job_id).attempts - 1)
        return self._set(job_id, state=JobState.QUEUED, attempts=attempts, not_before=not_before)

    def retry(self, job_id: str, *, not_before: float, reason: str, message: str) -> Job:
        """Put a job back whose attempt failed; the attempt stays counted."""
        return self._set(
            job_id,
            state=JobState.QUEUED,
            not_before=not_before,
            reason=reason,
            message=message,
        )

    def rename(self, job_id: str, src_rel: str) -> Job:
        """Follow a source that was renamed within the inbox."""
        return self._set(job_id, src_rel=src_rel)

    def publishing(self, job_id: str, *, out_rel: str, out_sha256: str) -> Job:
        """Commit the name of the output before that name is tried."""
        return self._set(job_id, state=JobState.PUBLISHING, out_rel=out_rel, out_sha256=out_sha256)

    def done(self, job_id: str, *, now: float) -> Job:
        """Record that the output is durable; the source is still to be disposed of."""
        return self._set(job_id, state=JobState.DONE, finished_at=now, reason=None, message=None)

    def fail(self, job_id: str, *, now: float, reason: str, message: str) -> Job:
        """Record the end of a job without an output."""
        return self._set(
            job_id, state=JobState.FAILED, finished_at=now, reason=reason, message=message
        )

    def plan_disposal(self, job_id: str, rel: str) -> Job:
        """Commit where the source is about to go, before that name is tried."""
        return self._set(job_id, disposal_rel=rel)

    def disposed(self, job_id: str, disposal: str) -> Job:
        """Record what became of the source; nothing is left to do for this job."""
        return self._set(job_id, disposal=disposal)

    def forget(self, job_id: str) -> None:
        """Drop a live job whose source has changed; the changed file is queued as a new job."""
        self._execute("DELETE FROM jobs WHERE id = ?", [job_id])

    # -- inside -------------------------------------------------------------------------------

    def _next(self, now: float, *, is_retry: bool) -> Job | None:
        where = f"state = 'queued' AND not_before <= ? AND attempts {'>' if is_retry else '='} 0"
        found = self._select(where, [now], "created_at, rowid LIMIT 1")
        return found[0] if found else None

    def _select(
        self, where: str, values: Iterable[Any] = (), order: str = "created_at, rowid"
    ) -> list[Job]:
        sql = f"SELECT * FROM jobs WHERE {where} ORDER BY {order}"
        return [_job(row) for row in self._execute(sql, tuple(values))]

    def _execute(
        self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> list[sqlite3.Row]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            number = _ERRNOS.get(error.sqlite_errorcode & 0xFF)  # the low byte is the kind
            if number is None:
                raise
            raise OSError(number, f"ledger: {error}") from error

    def _set(self, job_id: str, **columns: Any) -> Job:
        values = {
            name: os.fsencode(value) if name in _PATHS else value for name, value in columns.items()
        }
        setters = ", ".join(f"{name} = :{name}" for name in values)
        self._execute(f"UPDATE jobs SET {setters} WHERE id = :id", values | {"id": job_id})
        return self.get(job_id)


class LedgerLock:
    """The right to write one state folder's ledger; the kernel frees it when the process ends."""

    def __init__(self, state_folder: Path) -> None:
        """Take the lock.

        Raises:
            LedgerLockedError: another process holds it.
        """
        self._file = (state_folder / LOCK_NAME).open("ab")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise LedgerLockedError(
                f"{state_folder}: another zssr-daemon is running on this state folder; "
                "stop it first, or give this one its own [folders]"
            ) from error

    def release(self) -> None:
        """Give the lock back."""
        self._file.close()


def _is_damaged(path: Path) -> bool:
    """Read the whole file; what a crash left half written, SQLite mends first from its journal."""
    try:
        with closing(sqlite3.connect(path)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF in _DAMAGED


def _set_aside(path: Path) -> Path:
    """Rename a damaged ledger, durably; SQLite has used up its journal by then."""
    mark = f".corrupt-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    new = path.with_name(path.name + mark)
    durable.move_no_replace(path, new)
    return new


@contextmanager
def _faults_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise SettingsError(
            f"{path}: not a usable ledger ({error}); move it away and start again: "
            "the pictures are in their folders, only the history is lost"
        ) from error


def _create_or_check(db: sqlite3.Connection, path: Path) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == 0:
        db.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
    _check_version(db, path)


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise SettingsError(
            f"{path}: ledger version {version}, this program knows {SCHEMA_VERSION}; "
            "run the version that wrote it, or start with another state folder"
        )


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
    return Job(identity=identity, **values)
