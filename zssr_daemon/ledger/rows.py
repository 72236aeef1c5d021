"""Rows: a job as the table of jobs holds it.

Paths are stored as bytes, because a file's name need not be UTF-8. The numbers of a file's
identity are stored as text, because inodes of network shares and times after 2262 exceed SQLite's
integers.
"""

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.system.file_identity import FileIdentity

#: The columns of a file's identity.
IDENTITY_COLUMNS = tuple(field.name for field in fields(FileIdentity))

_PATH_COLUMNS = frozenset({"src_rel", "out_rel", "disposal_rel"})


def identity_columns(identity: FileIdentity) -> dict[str, str]:
    """Return the columns that hold `identity`."""
    return {name: str(getattr(identity, name)) for name in IDENTITY_COLUMNS}


def encoded(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return `columns` with their paths, in `os.fsdecode` form, as bytes."""
    return {
        name: os.fsencode(value) if name in _PATH_COLUMNS and value is not None else value
        for name, value in columns.items()
    }


def job_of(row: sqlite3.Row) -> Job:
    """Return the job that a whole row of the table holds."""
    values = dict(row)
    identity = FileIdentity(**{name: int(values.pop(name)) for name in IDENTITY_COLUMNS})
    for name in _PATH_COLUMNS:
        values[name] = None if values[name] is None else os.fsdecode(values[name])
    values["state"] = JobState(values["state"])
    values["disposal"] = None if values["disposal"] is None else Disposal(values["disposal"])
    return Job(identity=identity, **values)
