"""The ledger's file: damaged, it is set aside; older, it is migrated; newer, it is refused."""

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.ledger_parts import add, file_id
from zssr_daemon.errors import SettingsError
from zssr_daemon.ledger import database
from zssr_daemon.ledger.admission import Admission
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.folder_mark import FolderMark
from zssr_daemon.ledger.job import JobState
from zssr_daemon.ledger.ledger import Ledger

WRITTEN_BY_37CAE4B = Path(__file__).parents[1] / "data" / "ledger_37cae4b.sql"

DAMAGED = [b"this is no database at all" * 50, b"SQLite format 3\0junk"]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_ledger_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    """The message names the file and the cure, and the file stays for the daemon to judge."""
    (tmp_path / LEDGER_NAME).write_bytes(content)
    with pytest.raises(SettingsError, match=r"ledger\.sqlite3: not a usable ledger.*move it away"):
        Ledger.open_to_read(tmp_path)
    assert (tmp_path / LEDGER_NAME).read_bytes() == content


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_ledger_is_set_aside(tmp_path: Path, content: bytes) -> None:
    """It is kept as it was under a new name, and an empty ledger begins."""
    (tmp_path / LEDGER_NAME).write_bytes(content)
    ledger = Ledger.open(tmp_path)
    add(ledger)
    ledger.close()
    assert ledger.set_aside is not None
    assert ledger.set_aside.read_bytes() == content
    again = Ledger.open(tmp_path)
    assert again.set_aside is None
    assert again.count(JobState.QUEUED) == 1
    again.close()


def test_damage_inside_is_found_at_the_start(tmp_path: Path) -> None:
    """A page that was overwritten in the middle is found at the start, and not during a job."""
    ledger = Ledger.open(tmp_path)
    for number in range(100):
        add(ledger, number)
    ledger.close()
    content = bytearray((tmp_path / LEDGER_NAME).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = b"\xff" * 4096
    (tmp_path / LEDGER_NAME).write_bytes(content)
    ledger = Ledger.open(tmp_path)
    assert ledger.set_aside is not None
    assert ledger.count(JobState.QUEUED) == 0
    ledger.close()


def test_interrupted_transaction_is_no_damage(tmp_path: Path) -> None:
    """A killed writer's unfinished change is undone from the journal, and nothing is set aside."""
    ledger = Ledger.open(tmp_path)
    add(ledger)
    ledger.close()
    killed = (
        "import os, signal, sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA cache_size = 1'); db.execute('BEGIN IMMEDIATE');"
        "db.execute('UPDATE jobs SET message = hex(zeroblob(500000))');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", killed, tmp_path / LEDGER_NAME], check=False)
    assert (tmp_path / f"{LEDGER_NAME}-journal").stat().st_size > 0
    ledger = Ledger.open(tmp_path)
    assert ledger.set_aside is None
    assert ledger.newest()[0].message is None
    ledger.close()


def test_older_ledger_is_brought_up_to_date(tmp_path: Path) -> None:
    """The jobs of the first version are kept, and what came later works."""
    with sqlite3.connect(tmp_path / LEDGER_NAME) as db:
        db.executescript(database._MIGRATIONS[0] + "PRAGMA user_version = 1;")
        db.execute(
            "INSERT INTO jobs (id, src_rel, dev, ino, size, mtime_ns, state, created_at)"
            " VALUES ('old', x'61', '1', '2', '3', '4', 'queued', 5.0)"
        )
    db.close()
    ledger = Ledger.open(tmp_path)
    assert [(job.id, job.src_rel) for job in ledger.newest()] == [("old", "a")]
    ledger.folder_marks.keep(tmp_path, FolderMark(token="t", mount_point="/"))
    assert ledger.folder_marks.of(tmp_path) == FolderMark(token="t", mount_point="/")
    ledger.keep_settings("hash", "settings")
    assert ledger.kept_settings("hash") == "settings"
    ledger.close()
    Ledger.open_to_read(tmp_path).close()


def test_ledger_of_the_version_before_goes_on(tmp_path: Path) -> None:
    """Version 4, as the program of commit 37cae4b wrote it: every job is there and goes on."""
    with sqlite3.connect(tmp_path / LEDGER_NAME) as db:
        db.executescript(WRITTEN_BY_37CAE4B.read_text())
    db.close()
    ledger = Ledger.open(tmp_path)
    assert ledger.set_aside is None
    jobs = {job.src_rel: job for job in ledger.newest()}
    assert {job.lane for job in jobs.values()} == {0}
    assert {job.expires_at for job in jobs.values()} == {None}
    assert ledger.listing.page(JobState.DONE).jobs == [jobs["kept.png"], jobs["done.png"]]
    queued = [job.src_rel for job in ledger.listing.page(JobState.QUEUED).jobs]
    assert queued == ["again.png", "\udcff.png", "queued.png"]
    claimed = [ledger.claim(now=8.0) for _ in queued]
    assert [job.src_rel for job in claimed if job] == ["\udcff.png", "again.png", "queued.png"]
    ledger.admissions.keep(file_id(9), Admission(lane=1, result_kept_s=60.0))
    job = add(ledger, 9)
    assert (job.lane, ledger.done(job.id, now=5.0).expires_at) == (1, 65.0)
    ledger.close()
    Ledger.open_to_read(tmp_path).close()


@pytest.mark.parametrize("opener", [Ledger.open, Ledger.open_to_read])
def test_newer_ledger_is_refused(tmp_path: Path, opener: object) -> None:
    """A ledger of a newer version is not touched."""
    Ledger.open(tmp_path).close()
    with sqlite3.connect(tmp_path / LEDGER_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert callable(opener)
    with pytest.raises(SettingsError, match="ledger version 99, this program knows 5"):
        opener(tmp_path)


def test_reader_needs_a_ledger(tmp_path: Path) -> None:
    """Without a ledger, a reader is told so and makes no file."""
    with pytest.raises(SettingsError, match="no ledger yet"):
        Ledger.open_to_read(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_reader_of_a_ledger_that_is_being_made(tmp_path: Path) -> None:
    """The file is there before its tables are: to a reader there is no ledger yet."""
    (tmp_path / LEDGER_NAME).touch()
    with pytest.raises(SettingsError, match="no ledger yet"):
        Ledger.open_to_read(tmp_path)


def test_reader_after_a_kill_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """The half that was written is undone, and the ledger is read as it was before."""
    Ledger.open(tmp_path).close()
    code = (
        "import os, signal, sqlite3, sys;"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('PRAGMA cache_size = 1'); db.execute('PRAGMA cache_spill = 1');"
        "db.execute('BEGIN EXCLUSIVE');"
        "[db.execute('INSERT INTO folders VALUES (?, ?, ?)', (bytes(9) + str(n).encode(),"
        " 'x' * 9000, b'y' * 9000)) for n in range(100)];"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / LEDGER_NAME], check=False)
    journal = tmp_path / f"{LEDGER_NAME}-journal"
    assert journal.stat().st_size > 0
    plain = sqlite3.connect(f"file:{tmp_path / LEDGER_NAME}?mode=ro", uri=True)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        plain.execute("PRAGMA user_version")
    plain.close()
    reader = Ledger.open_to_read(tmp_path)
    assert reader._execute("SELECT count(*) FROM folders")[0][0] == 0
    reader.close()
    assert not journal.exists() or journal.stat().st_size == 0


def test_reader_cannot_write(tmp_path: Path) -> None:
    """A reader beside the daemon cannot change anything."""
    Ledger.open(tmp_path).close()
    reader = Ledger.open_to_read(tmp_path)
    with pytest.raises(OSError, match="readonly") as caught:
        reader.add("a.png", file_id(), now=0.0)
    assert caught.value.errno == errno.EROFS
    reader.close()


def test_every_commit_is_synced(tmp_path: Path, ledger: Ledger) -> None:
    """The connection that writes uses the safest settings of SQLite."""
    values = [
        ledger._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    ]
    assert values == ["delete", 3]
