"""Statements: SQL that is run on the ledger, with SQLite's errors turned into ours.

The supervisor pauses on an OSError, and begins another ledger on a LedgerLostError.
"""

import errno
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from zssr_daemon.errors import LedgerLostError
from zssr_daemon.ledger.database import DAMAGED

#: The error number of the operating system for each fault of the disk that SQLite reports.
_ERRNOS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
}


def run_sql(
    db: sqlite3.Connection, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()
) -> list[sqlite3.Row]:
    """Run one statement and return all its rows.

    Raises:
        OSError: the disk failed.
        LedgerLostError: the file was damaged, or taken away, while it was in use.
        sqlite3.IntegrityError: a constraint of the schema forbids the change.
    """
    try:
        return db.execute(sql, values).fetchall()
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        kind = error.sqlite_errorcode & 0xFF  # the low byte
        if kind in DAMAGED or _is_taken_away(error):
            raise LedgerLostError(f"the ledger was lost while in use: {error}") from error
        if kind not in _ERRNOS:
            raise
        raise OSError(_ERRNOS[kind], f"ledger: {error}") from error


def _is_taken_away(error: sqlite3.DatabaseError) -> bool:
    """Tell whether the file was moved, or emptied: SQLite takes an empty one for a good one."""
    is_moved = error.sqlite_errorcode == sqlite3.SQLITE_READONLY_DBMOVED
    return is_moved or str(error).startswith("no such table")
