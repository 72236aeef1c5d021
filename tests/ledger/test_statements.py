"""Statements: a fault of the disk is an OSError, a ledger that is lost an error of its own."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from tests.parts.ledger_parts import add, file_id
from zssr_daemon.errors import LedgerLostError
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger


def test_ledger_that_is_taken_away_is_lost(tmp_path: Path) -> None:
    """Changes to a deleted file would be lost, so they raise an error of their own."""
    ledger = Ledger.open(tmp_path)
    add(ledger)
    (tmp_path / LEDGER_NAME).unlink()
    with pytest.raises(LedgerLostError):
        add(ledger, 2)
    ledger.close()


def test_ledger_that_is_emptied_in_use_is_lost(tmp_path: Path) -> None:
    """SQLite takes an emptied file for a good one without tables; for us the ledger is lost."""
    ledger = Ledger.open(tmp_path)
    job = add(ledger)
    os.truncate(tmp_path / LEDGER_NAME, 0)
    with pytest.raises(LedgerLostError):
        ledger.get(job.id)
    with pytest.raises(LedgerLostError):
        add(ledger, 2)
    ledger.close()


def test_ledger_that_is_damaged_in_use_is_lost(tmp_path: Path) -> None:
    """Damage met while running is not taken for a fault of the disk."""
    ledger = Ledger.open(tmp_path)
    for number in range(200):
        add(ledger, number)
    with (tmp_path / LEDGER_NAME).open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    fresh = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    with pytest.raises(LedgerLostError):
        Ledger(fresh).newest()
    fresh.close()
    ledger.close()


def test_proving_fails_where_a_commit_would(tmp_path: Path) -> None:
    """`prove` changes nothing, and raises an error where nothing can be written."""
    ledger = Ledger.open(tmp_path)
    job = add(ledger)
    ledger.prove()
    assert ledger.newest() == [job]
    ledger._db.execute("PRAGMA query_only = ON")
    with pytest.raises(OSError, match="readonly"):
        ledger.prove()
    ledger.close()


def test_full_disk_is_an_oserror(tmp_path: Path) -> None:
    """A full disk raises OSError with its errno, and the ledger stays whole."""
    db = sqlite3.connect(tmp_path / LEDGER_NAME, isolation_level=None)
    Ledger.open(tmp_path).close()
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    ledger = Ledger(db)
    with pytest.raises(OSError, match="full") as caught:
        ledger.add("x" * 100_000, file_id(), now=0.0)
    assert caught.value.errno == errno.ENOSPC
    assert ledger.count(JobState.QUEUED) == 0
    add(ledger)
    ledger.close()
