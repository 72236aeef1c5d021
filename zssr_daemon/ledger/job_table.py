"""JobTable: the ledger's table of jobs, read and changed by SQL that is put together here.

Every look-up names its index where SQLite might choose one that grows with the history.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any

from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.rows import encoded, job_of
from zssr_daemon.ledger.statements import run_sql

#: Jobs that are not over; the condition of the index `jobs_blocking`, word for word.
_BLOCKING = "(state IN ('queued', 'running', 'publishing') OR disposal IS NULL)"

_OLDEST_FIRST = "created_at, rowid"


class JobTable:
    """Its methods raise what `run_sql` raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def get(self, job_id: str) -> Job:
        """Return one job by its full id, or raise KeyError."""
        found = self.select("id = ?", [job_id])
        if not found:
            raise KeyError(job_id)
        return found[0]

    def select(
        self,
        where: str,
        values: Iterable[Any] = (),
        *,
        order: str = _OLDEST_FIRST,
        index: str | None = None,
    ) -> list[Job]:
        """Return the jobs for which the condition `where` holds, oldest first unless ordered."""
        table = "jobs" if index is None else f"jobs INDEXED BY {index}"
        sql = f"SELECT * FROM {table} WHERE {where} ORDER BY {order}"
        return [job_of(row) for row in run_sql(self._db, sql, tuple(values))]

    def select_blocking(self, where: str = "1", values: Iterable[Any] = ()) -> list[Job]:
        """Select among the jobs that are not over, by an index that holds no other jobs."""
        return self.select(f"{_BLOCKING} AND {where}", values, index="jobs_blocking")

    def select_states(self, states: Iterable[JobState]) -> list[Job]:
        """Return the jobs in any of `states`, oldest first."""
        values = tuple(states)
        return self.select(f"state IN ({_marks(values)})", values)

    def count(self, states: Iterable[JobState]) -> int:
        """Count the jobs in any of `states`."""
        values = tuple(states)
        sql = f"SELECT count(*) FROM jobs WHERE state IN ({_marks(values)})"
        return int(run_sql(self._db, sql, values)[0][0])

    def insert(self, **columns: Any) -> Job:
        """Add a job, and return it.

        Raises:
            sqlite3.IntegrityError: another job that is not over has that device and inode.
        """
        values = encoded(columns)
        names, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
        run_sql(self._db, f"INSERT INTO jobs ({names}) VALUES ({marks})", values)
        return self.get(columns["id"])

    def update(self, job_id: str, **columns: Any) -> Job:
        """Change columns of a job, and return the job as it is then.

        Raises:
            KeyError: no job has this id.
            sqlite3.IntegrityError: another job that is not over has that device and inode.
        """
        values = encoded(columns)
        setters = ", ".join(f"{name} = :{name}" for name in values)
        run_sql(self._db, f"UPDATE jobs SET {setters} WHERE id = :id", values | {"id": job_id})
        return self.get(job_id)

    def delete(self, job_id: str) -> None:
        """Delete a job."""
        run_sql(self._db, "DELETE FROM jobs WHERE id = ?", [job_id])


def _marks(values: tuple[object, ...]) -> str:
    return ", ".join("?" for _ in values)
