"""Listing: the jobs of a ledger page by page, in orders that an index holds.

So a page costs the same however long the history is.
"""

import json
import os
import sqlite3
from dataclasses import dataclass
from typing import Any

from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.rows import job_of
from zssr_daemon.ledger.statements import run_sql

#: The time that a job takes is the mean of so many that were done last.
_LATEST = 20


@dataclass(frozen=True, slots=True)
class _Order:
    """An order of jobs, ties in the order in which they were added."""

    index: str
    columns: tuple[str, ...]  # what a cursor holds besides the number of the row
    order: str
    beyond: str  # what holds for the jobs that come after a cursor


_QUEUE = _Order(
    "jobs_queue",
    ("lane", "created_at"),
    "lane DESC, created_at, rowid",
    "(lane < :lane OR lane = :lane AND (created_at, rowid) > (:created_at, :rowid))",
)
_ENDED = _Order(
    "jobs_ended",
    ("finished_at",),
    "finished_at DESC, rowid DESC",
    "(finished_at, rowid) < (:finished_at, :rowid)",
)
_IN_STATE = _Order(
    "jobs_by_state",
    ("created_at",),
    "created_at DESC, rowid DESC",
    "(created_at, rowid) < (:created_at, :rowid)",
)
_ALL = _Order("jobs_created", _IN_STATE.columns, _IN_STATE.order, _IN_STATE.beyond)
_BY_PATH = _Order(
    "jobs_path", ("src_rel",), "src_rel, rowid", "(src_rel, rowid) > (:src_rel, :rowid)"
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some jobs of a list, and the cursor of the page that follows; None after the last."""

    jobs: list[Job]
    next: str | None


class Listing:
    """Reads one ledger; its methods raise what `run_sql` raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def page(
        self,
        state: JobState | None = None,
        *,
        below: str | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page:
        """Return up to `limit` jobs.

        Queued jobs come in the order of the queue, ended ones the last first, others the newest
        first, and those of a folder by their paths.

        Args:
            state: only jobs in this state.
            below: only images in this folder of the inbox, or deeper, in `os.fsdecode` form.
            after: the cursor of this page, which the page before names.
            limit: at least 1.

        Raises:
            ValueError: `after` is no cursor of this list.
        """
        order = _order_of(state, below)
        where, values = _where(state, below)
        if after is not None:
            where.append(order.beyond)
            values |= _parsed(after, order)
        sql = (
            f"SELECT * FROM jobs INDEXED BY {order.index} WHERE {' AND '.join(where) or '1'} "
            f"ORDER BY {order.order} LIMIT :limit"
        )
        rows = run_sql(self._db, sql, values | {"limit": limit + 1})
        jobs = [job_of(row) for row in rows[:limit]]
        return Page(jobs, self._cursor(jobs[-1], order) if len(rows) > limit else None)

    def place(self, job: Job) -> int:
        """Return the place of a queued job in the queue, 1 for the first.

        Reattempts that must wait, or that take turns with first attempts, are counted where they
        would be by the time at which they were queued.
        """
        sql = (
            "SELECT count(*) FROM jobs INDEXED BY jobs_queue WHERE state = 'queued' AND (lane > ? "
            "OR lane = ? AND (created_at, rowid) <= (?, (SELECT rowid FROM jobs WHERE id = ?)))"
        )
        return int(run_sql(self._db, sql, [job.lane, job.lane, job.created_at, job.id])[0][0])

    def places(self, jobs: list[Job]) -> dict[str, int]:
        """Return the places of those of `jobs` that are queued, by id."""
        queued = [job.id for job in jobs if job.state is JobState.QUEUED]
        if not queued:
            return {}
        sql = (
            "SELECT rowid FROM jobs INDEXED BY jobs_queue WHERE state = 'queued' "
            f"ORDER BY {_QUEUE.order}"
        )
        rows = run_sql(self._db, sql)
        place_of = {int(row[0]): place for place, row in enumerate(rows, start=1)}
        marks = ", ".join("?" for _ in queued)
        found = run_sql(self._db, f"SELECT id, rowid FROM jobs WHERE id IN ({marks})", queued)
        return {row[0]: place_of[row[1]] for row in found if row[1] in place_of}

    def done_since(self, moment: float) -> int:
        """Count the jobs that were done since a moment, in seconds since the epoch."""
        sql = "SELECT count(*) FROM jobs WHERE state = 'done' AND finished_at >= ?"
        return int(run_sql(self._db, sql, [moment])[0][0])

    def job_takes_s(self) -> float | None:
        """Return the mean seconds of the attempts that ended well last; None without any."""
        sql = (
            "SELECT avg(took_s) FROM (SELECT finished_at - started_at AS took_s FROM jobs "
            "INDEXED BY jobs_ended WHERE state = 'done' ORDER BY finished_at DESC LIMIT ?)"
        )
        mean = run_sql(self._db, sql, [_LATEST])[0][0]
        return None if mean is None else max(0.0, float(mean))

    def _cursor(self, job: Job, order: _Order) -> str:
        row = run_sql(self._db, "SELECT rowid FROM jobs WHERE id = ?", [job.id])
        return json.dumps([*(getattr(job, name) for name in order.columns), row[0][0]])


def _order_of(state: JobState | None, below: str | None) -> _Order:
    if below is not None:
        return _BY_PATH
    match state:
        case JobState.QUEUED:
            return _QUEUE
        case JobState.DONE | JobState.FAILED:
            return _ENDED
        case None:
            return _ALL
    return _IN_STATE


def _where(state: JobState | None, below: str | None) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    values: dict[str, Any] = {}
    if state is JobState.QUEUED:
        where.append("state = 'queued'")  # in these words, by which an index is known to suffice
    elif state is not None:
        where.append("state = :state")
        values["state"] = state
    if below is not None:
        folder = os.fsencode(below.rstrip("/"))
        where.append("src_rel > :first AND src_rel < :beyond")
        values |= {"first": folder + b"/", "beyond": folder + b"0"}  # "0" follows "/"
    return where, values


def _parsed(cursor: str, order: _Order) -> dict[str, Any]:
    values = json.loads(cursor)
    names = (*order.columns, "rowid")
    if not isinstance(values, list) or len(values) != len(names):
        raise ValueError("no cursor of this list")
    found = dict(zip(names, values, strict=True))
    if "src_rel" in found:
        found["src_rel"] = os.fsencode(found["src_rel"])
    is_known = all(isinstance(value, bytes | int | float) for value in found.values())
    if not is_known:
        raise ValueError("no cursor of this list")
    return found
