"""Admissions: what a program that put a file into the inbox has asked for that file."""

import sqlite3
from dataclasses import asdict, dataclass

from zssr_daemon.ledger.rows import identity_columns
from zssr_daemon.ledger.statements import run_sql
from zssr_daemon.system.file_identity import FileIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who asks for it may use the control socket; a file that is only dropped has none."""

    lane: int  # jobs of a higher lane are claimed first
    result_kept_s: float | None  # the result is removed so long after the end; None: never


class Admissions:
    """Those of one ledger, each kept until its file has a job; they survive a crash until then.

    Its methods raise what `run_sql` raises.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, identity: FileIdentity, admission: Admission) -> None:
        """Remember the admission of a file that has no job yet."""
        values = identity_columns(identity) | asdict(admission)
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        sql = f"INSERT OR REPLACE INTO admissions ({names}) VALUES ({marks})"
        run_sql(self._db, sql, values)

    def of(self, identity: FileIdentity) -> Admission | None:
        """Return the admission of exactly this file, or None."""
        sql = (
            "SELECT lane, result_kept_s FROM admissions "
            "WHERE dev = :dev AND ino = :ino AND size = :size AND mtime_ns = :mtime_ns"
        )
        rows = run_sql(self._db, sql, identity_columns(identity))
        return Admission(lane=rows[0][0], result_kept_s=rows[0][1]) if rows else None

    def forget(self, identity: FileIdentity) -> None:
        """Forget the admission of a file, which now has a job."""
        sql = "DELETE FROM admissions WHERE dev = ? AND ino = ?"
        run_sql(self._db, sql, [str(identity.dev), str(identity.ino)])
