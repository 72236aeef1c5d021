"""FolderMarks: how the ledger knows folders again."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from zssr_daemon.ledger.statements import run_sql


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderMark:
    """The token in a folder's marker file, and where its file system was mounted at that time.

    A folder that cannot be written to has no marker file; its inode is the token.
    """

    token: str
    mount_point: str  # in `os.fsdecode` form


class FolderMarks:
    """Those of one ledger; its methods raise what `run_sql` raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def of(self, folder: Path) -> FolderMark | None:
        """Return how a folder was marked; None for a new one."""
        sql = "SELECT token, mount_point FROM folders WHERE path = ?"
        rows = run_sql(self._db, sql, [os.fsencode(folder)])
        return FolderMark(token=rows[0][0], mount_point=os.fsdecode(rows[0][1])) if rows else None

    def keep(self, folder: Path, mark: FolderMark) -> None:
        """Remember how a folder is marked."""
        values = [os.fsencode(folder), mark.token, os.fsencode(mark.mount_point)]
        run_sql(self._db, "INSERT OR REPLACE INTO folders VALUES (?, ?, ?)", values)
