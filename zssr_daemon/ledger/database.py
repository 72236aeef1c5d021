"""Database: the ledger's file, opened, migrated to today's schema, and set aside when damaged."""

import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from zssr_daemon.errors import SettingsError
from zssr_daemon.system import durable

LEDGER_NAME = "ledger.sqlite3"

NO_LEDGER = "{path}: no ledger yet; it is made by the first `run`"

#: SQLite's error codes for a file whose content is damaged; every other fault is the disk's.
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

# A job blocks its file, so that a scan does not queue it again, while the job is live and, after
# its end, until the source is moved away.
# Identities are text: inodes of network shares and times after 2262 exceed SQLite's integers.

#: Each script makes one version of the schema from the version before; the first starts empty.
_MIGRATIONS = (
    """
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
""",
    """
CREATE INDEX jobs_kept ON jobs (src_rel, size, mtime_ns) WHERE disposal = 'keep';
CREATE INDEX jobs_by_state ON jobs (state, created_at);
CREATE TABLE folders (
  path BLOB PRIMARY KEY, token TEXT NOT NULL, mount_point BLOB NOT NULL
) STRICT;
""",
    """
CREATE INDEX jobs_retry ON jobs (src_rel) WHERE disposal = 'retry';
""",
    """
CREATE TABLE settings (hash TEXT PRIMARY KEY, tables TEXT NOT NULL) STRICT, WITHOUT ROWID;
""",
    """
ALTER TABLE jobs ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN result_kept_s REAL;
ALTER TABLE jobs ADD COLUMN expires_at REAL;
DROP INDEX jobs_claim;
CREATE INDEX jobs_claim ON jobs (attempts > 0, lane DESC, created_at) WHERE state = 'queued';
CREATE INDEX jobs_queue ON jobs (lane DESC, created_at) WHERE state = 'queued';
CREATE INDEX jobs_ended ON jobs (state, finished_at);
CREATE INDEX jobs_path ON jobs (src_rel);
CREATE INDEX jobs_expiring ON jobs (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE admissions (
  dev TEXT NOT NULL, ino TEXT NOT NULL, size TEXT NOT NULL, mtime_ns TEXT NOT NULL,
  lane INTEGER NOT NULL, result_kept_s REAL, PRIMARY KEY (dev, ino)
) STRICT, WITHOUT ROWID;
""",
)
SCHEMA_VERSION = len(_MIGRATIONS)


def open_file(state_folder: Path) -> tuple[sqlite3.Connection, Path | None]:
    """Open for writing, and migrate; the caller holds the lock.

    Returns:
        The connection, and the path that a damaged file was moved to, or None.

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
        _migrate(db)
        _check_version(db, path)
    return db, set_aside


def open_file_to_read(state_folder: Path) -> sqlite3.Connection:
    """Open read-only, beside a running daemon.

    Raises:
        SettingsError: there is no ledger yet, or the file is not a ledger.
    """
    path = state_folder / LEDGER_NAME
    if not path.is_file():
        raise SettingsError(NO_LEDGER.format(path=path))
    with _faults_explained(path):
        try:
            return _open_checked(path, "ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
        # A daemon was killed in the middle of a write. SQLite undoes the unfinished part when a
        # connection that may write opens the file; its own lock guards this against a new daemon.
        _open_checked(path, "rw").close()
        return _open_checked(path, "ro")


def _open_checked(path: Path, mode: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True)
    try:
        _check_version(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _is_damaged(path: Path) -> bool:
    """Check the whole file, after SQLite has undone an interrupted write from its journal."""
    try:
        with closing(sqlite3.connect(path)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.DatabaseError as error:
        return error.sqlite_errorcode & 0xFF in DAMAGED


def _set_aside(path: Path) -> Path:
    """Rename a damaged ledger, durably; SQLite has already applied and removed its journal."""
    mark = f".corrupt-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:8]}"
    new = path.with_name(path.name + mark)
    identity = durable.identity_of(path)
    assert identity is not None
    durable.move_no_replace(path, new, identity=identity)
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


def _migrate(db: sqlite3.Connection) -> None:
    """Bring the schema up to date, in one transaction: a reader sees the old one or today's."""
    version = _version_of(db)
    if version < SCHEMA_VERSION:
        scripts = "".join(_MIGRATIONS[version:])
        db.executescript(
            f"BEGIN EXCLUSIVE; {scripts} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )


def _version_of(db: sqlite3.Connection) -> int:
    """Return the version of the schema; 0 while a new ledger is being made."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _check_version(db: sqlite3.Connection, path: Path) -> None:
    version = _version_of(db)
    if version == 0:
        raise SettingsError(NO_LEDGER.format(path=path))
    if version != SCHEMA_VERSION:
        raise SettingsError(
            f"{path}: ledger version {version}, this program knows {SCHEMA_VERSION}; "
            "run the version that wrote it, or start with another state folder"
        )
