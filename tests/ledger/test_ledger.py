"""The ledger: every change is durable, no file is queued twice, and no job is lost."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES
from zssr_daemon.errors import LedgerLockedError, LedgerLostError, Reason, SettingsError
from zssr_daemon.ledger import database
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.folder_mark import FolderMark
from zssr_daemon.ledger.job import LIVE_STATES, Disposal, Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.ledger.lock import LedgerLock
from zssr_daemon.system.file_identity import FileIdentity


def file_id(number: int = 1, **changes: int) -> FileIdentity:
    """Return the identity of an imagined file."""
    values = {"dev": 1, "ino": number, "size": 10, "mtime_ns": 20} | changes
    return FileIdentity(**values)


def add(ledger: Ledger, number: int = 1, now: float = 0.0) -> Job:
    """Queue an imagined file."""
    return ledger.add(f"{number}.png", file_id(number), now=now)


def claim(ledger: Ledger, now: float = 100.0) -> Job | None:
    """Claim the next job."""
    return ledger.claim(now=now)


def claimed(ledger: Ledger, now: float = 100.0) -> Job:
    """Claim a job that must be there."""
    job = claim(ledger, now)
    assert job is not None
    return job


def test_jobs_survive_reopening(tmp_path: Path) -> None:
    """What a method has returned is in the file."""
    first = Ledger.open(tmp_path)
    job = first.add("a.png", file_id(), now=1.0, sha256="ab", width=3, height=4)
    first.close()
    second = Ledger.open(tmp_path)
    assert second.get(job.id) == job
    assert (job.state, job.attempts, job.sha256, job.width, job.height) == (
        JobState.QUEUED,
        0,
        "ab",
        3,
        4,
    )
    second.close()


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_paths_are_bytes(ledger: Ledger, name: str) -> None:
    """Any legal name comes back as it was, in every column that holds one."""
    job = ledger.add(name, file_id(), now=0.0)
    job = ledger.publishing(job.id, out_rel=name, out_sha256="ab")
    job = ledger.plan_disposal(job.id, name)
    assert (job.src_rel, job.out_rel, job.disposal_rel) == (name, name, name)


@pytest.mark.parametrize(
    "identity",
    [
        file_id(ino=2**64 - 1),
        file_id(dev=2**64 - 1),
        file_id(mtime_ns=10**19),
        file_id(mtime_ns=-(10**19)),
        file_id(size=2**63 - 1),
    ],
)
def test_identities_have_no_limits(ledger: Ledger, identity: FileIdentity) -> None:
    """A network share's inode, or a time after 2262, is stored and found again exactly."""
    job = ledger.add("a.png", identity, now=0.0)
    assert ledger.get(job.id).identity == identity
    assert ledger.is_blocking(identity)
    ledger.done(job.id, now=1.0)
    ledger.disposed(job.id, Disposal.KEEP)
    assert ledger.is_kept(identity)


@pytest.mark.parametrize("state", ["queued", "running", "publishing", "done", "failed"])
def test_no_file_is_queued_twice(ledger: Ledger, state: str) -> None:
    """Until its source is disposed of, a job stands in the way of another for the same inode."""
    job = add(ledger)
    if state != "queued":
        claim(ledger)
    if state == "publishing":
        ledger.publishing(job.id, out_rel="a", out_sha256="a")
    if state == "done":
        ledger.done(job.id, now=1.0)
    if state == "failed":
        ledger.fail(job.id, now=1.0, reason=Reason.IO_ERROR, message="m")
    rewritten = file_id(size=99)
    assert ledger.is_blocking(rewritten)
    assert [found.id for found in ledger.blocking()] == [job.id]
    with pytest.raises(sqlite3.IntegrityError):
        ledger.add("again.png", rewritten, now=2.0)


def test_disposal_ends_the_block(ledger: Ledger) -> None:
    """Equal content dropped again, on a reused inode too, is a new job."""
    job = add(ledger)
    ledger.done(job.id, now=1.0)
    ledger.disposed(job.id, Disposal.ARCHIVE)
    assert not ledger.is_blocking(file_id())
    assert add(ledger).id != job.id


def test_kept_is_exactly_the_file_that_was_done(ledger: Ledger) -> None:
    """A file left in the inbox is not done again, unless it changes."""
    job = add(ledger)
    assert not ledger.is_kept(file_id())
    ledger.done(job.id, now=1.0)
    assert not ledger.is_kept(file_id())
    ledger.disposed(job.id, Disposal.KEEP)
    assert ledger.is_kept(file_id())
    for change in ({"size": 11}, {"mtime_ns": 21}, {"dev": 2}, {"ino": 2}):
        assert not ledger.is_kept(file_id(**change))


def test_claim_counts_the_attempt_in_the_file(ledger: Ledger, tmp_path: Path) -> None:
    """The count is durable before anything runs: only so does it survive the worst."""
    job = add(ledger)
    claim(ledger, now=7.0)
    reader = Ledger.open_to_read(tmp_path / "state")
    seen = reader.get(job.id)
    reader.close()
    assert (seen.state, seen.attempts, seen.started_at) == (JobState.RUNNING, 1, 7.0)


def test_settings_of_a_job(ledger: Ledger) -> None:
    """Each are kept once; a job tells with which it was queued, then with which it began."""
    assert ledger.kept_settings("one") is None
    for settings_hash in ("one", "two", "one"):
        ledger.keep_settings(settings_hash, f"the settings {settings_hash}")
    assert ledger.kept_settings("one") == "the settings one"
    job = ledger.add("a.png", file_id(), now=1.0, settings_hash="one")
    running = claimed(ledger)
    assert running.settings_hash == "one"
    assert ledger.use_settings(job.id, "one") == running
    assert ledger.use_settings(job.id, "two").settings_hash == "two"
    assert ledger.requeue(job.id).settings_hash == "two"


def test_claim_takes_the_oldest_that_is_due(ledger: Ledger) -> None:
    """First come, first served; one that must wait lets the next pass."""
    old, new = add(ledger, 1, now=1.0), add(ledger, 2, now=2.0)
    assert claimed(ledger).id == old.id
    ledger.reattempt(old.id, not_before=500.0, reason=Reason.IO_ERROR, message="m")
    assert claimed(ledger).id == new.id
    assert claim(ledger, now=499.0) is None
    assert claimed(ledger, now=500.0).id == old.id
    assert claim(ledger) is None


def test_new_and_retried_jobs_take_turns(ledger: Ledger) -> None:
    """Neither a heap of poisonous jobs nor a heap of new ones delays the other."""
    for number in range(3):
        add(ledger, number)
    for job in [claimed(ledger) for _ in range(3)]:
        ledger.reattempt(job.id, not_before=0.0, reason=Reason.IO_ERROR, message="m")
    for number in range(3, 6):
        add(ledger, number)
    kinds = ["new" if claimed(ledger).attempts == 1 else "retried" for _ in range(6)]
    assert kinds[0] != kinds[1]
    assert kinds == kinds[:2] * 3


def test_interruption_gives_the_attempt_back(ledger: Ledger) -> None:
    """Claim and requeue, however often, leave the count where it was."""
    job = add(ledger)
    for _ in range(5):
        claim(ledger)
        assert ledger.requeue(job.id).attempts == 0
    claim(ledger)
    ledger.reattempt(job.id, not_before=0.0, reason=Reason.IO_ERROR, message="m")
    claim(ledger)
    assert ledger.requeue(job.id).attempts == 1


def test_forgotten_job_makes_room(ledger: Ledger) -> None:
    """A rewritten file is queued anew, the old row is gone."""
    job = add(ledger)
    ledger.forget(job.id)
    with pytest.raises(KeyError):
        ledger.get(job.id)
    add(ledger)


def test_done_clears_the_reason_of_earlier_attempts(ledger: Ledger) -> None:
    """A success does not read like a failure."""
    job = add(ledger)
    ledger.reattempt(job.id, not_before=0.0, reason=Reason.WORKER_CRASH, message="m")
    job = ledger.done(job.id, now=1.0)
    assert (job.state, job.reason, job.message) == (JobState.DONE, None, None)


def test_lists_and_counts(ledger: Ledger) -> None:
    """Every state is counted; newest come first; ids are found by their beginning alone."""
    jobs = [add(ledger, number, now=float(number)) for number in range(4)]
    ledger.done(jobs[0].id, now=9.0)
    ledger.fail(jobs[1].id, now=9.0, reason=Reason.IO_ERROR, message="m")
    claim(ledger)
    assert {state: ledger.count(state) for state in JobState} == {
        JobState.QUEUED: 1,
        JobState.RUNNING: 1,
        JobState.PUBLISHING: 0,
        JobState.DONE: 1,
        JobState.FAILED: 1,
    }
    assert [job.id for job in ledger.newest(limit=2)] == [jobs[3].id, jobs[2].id]
    assert [job.id for job in ledger.newest(JobState.DONE)] == [jobs[0].id]
    assert [job.id for job in ledger.undisposed()] == [jobs[0].id, jobs[1].id]
    assert [job.id for job in ledger.find(jobs[2].id[:12])] == [jobs[2].id]
    assert ledger.find("%") == []
    assert [job.id for job in ledger.in_state(JobState.QUEUED, JobState.RUNNING)] == [
        jobs[2].id,
        jobs[3].id,
    ]


LOOKS: dict[str, Callable[[Ledger], object]] = {
    "get": lambda ledger: ledger.get("0"),
    "is_blocking": lambda ledger: ledger.is_blocking(file_id()),
    "is_kept": lambda ledger: ledger.is_kept(file_id()),
    "kept": lambda ledger: ledger.kept("a.png", file_id(), "hash"),
    "blocking": lambda ledger: ledger.blocking(),
    "undisposed": lambda ledger: ledger.undisposed(),
    "in_state": lambda ledger: ledger.in_state(JobState.RUNNING),
    "count": lambda ledger: ledger.count(*LIVE_STATES),
    "newest": lambda ledger: ledger.newest(),
    "newest failed": lambda ledger: ledger.newest(JobState.FAILED),
    "find": lambda ledger: ledger.find("0"),
    "claim": lambda ledger: ledger.claim(now=1.0),
    "oldest_queued_at": lambda ledger: ledger.oldest_queued_at(),
    "add": lambda ledger: add(ledger, 1000),
    "kept_settings": lambda ledger: ledger.kept_settings("hash"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_look_up_goes_through_the_history(ledger: Ledger, look: str) -> None:
    """Each is answered by an index that holds no more than what is asked for."""
    db = ledger._db
    db.execute("BEGIN")
    for number in range(500):
        job = add(ledger, number)
        ledger.done(job.id, now=1.0)
        ledger.disposed(job.id, Disposal.ARCHIVE)
    db.execute("COMMIT")
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    with suppress(KeyError):
        LOOKS[look](ledger)
    db.set_trace_callback(None)
    assert statements
    for statement in statements:
        for row in db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
            plan = row["detail"]
            # The newest are read off their index's end; the index of live jobs is all live.
            is_bounded = "jobs_created" in plan and "LIMIT" in statement
            assert "SCAN" not in plan or is_bounded or "jobs_blocking" in plan, plan


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
    """A page overwritten in the middle is not met later, amid a job."""
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
    """What a killed writer left half done is undone from the journal, and nothing is set aside."""
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
    ledger.mark_folder(tmp_path, FolderMark(token="t", mount_point="/"))
    assert ledger.folder_mark(tmp_path) == FolderMark(token="t", mount_point="/")
    ledger.keep_settings("hash", "settings")
    assert ledger.kept_settings("hash") == "settings"
    ledger.close()
    Ledger.open_to_read(tmp_path).close()


def test_ledger_that_is_taken_away_is_lost(tmp_path: Path) -> None:
    """Writing into a deleted file would record for nobody: it is an error of its own kind."""
    ledger = Ledger.open(tmp_path)
    add(ledger)
    (tmp_path / LEDGER_NAME).unlink()
    with pytest.raises(LedgerLostError):
        add(ledger, 2)
    ledger.close()


def test_ledger_that_is_emptied_in_use_is_lost(tmp_path: Path) -> None:
    """As somebody does who writes over it: SQLite finds a good file without tables."""
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
    """Nothing changes by it; what cannot be written is an error."""
    ledger = Ledger.open(tmp_path)
    job = add(ledger)
    ledger.prove()
    assert ledger.newest() == [job]
    ledger._db.execute("PRAGMA query_only = ON")
    with pytest.raises(OSError, match="readonly"):
        ledger.prove()
    ledger.close()


@pytest.mark.parametrize("opener", [Ledger.open, Ledger.open_to_read])
def test_newer_ledger_is_refused(tmp_path: Path, opener: object) -> None:
    """A version from the future is not touched."""
    Ledger.open(tmp_path).close()
    with sqlite3.connect(tmp_path / LEDGER_NAME) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    assert callable(opener)
    with pytest.raises(SettingsError, match="ledger version 99, this program knows 4"):
        opener(tmp_path)


def test_reader_needs_a_ledger(tmp_path: Path) -> None:
    """Asking for jobs makes no file."""
    with pytest.raises(SettingsError, match="no ledger yet"):
        Ledger.open_to_read(tmp_path)
    assert list(tmp_path.iterdir()) == []


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
    """A command beside the daemon can harm nothing."""
    Ledger.open(tmp_path).close()
    reader = Ledger.open_to_read(tmp_path)
    with pytest.raises(OSError, match="readonly") as caught:
        reader.add("a.png", file_id(), now=0.0)
    assert caught.value.errno == errno.EROFS
    reader.close()


def test_full_disk_is_an_oserror(tmp_path: Path) -> None:
    """The supervisor can tell it from a mistake of ours, and the ledger stays whole."""
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


def test_every_commit_is_synced(tmp_path: Path, ledger: Ledger) -> None:
    """The connection that writes uses the safest settings of SQLite."""
    values = [
        ledger._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    ]
    assert values == ["delete", 3]


_HOLD_LOCK = """
import sys
from collections.abc import Callable
from contextlib import suppress
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zssr_daemon.ledger.lock import LedgerLock
lock = LedgerLock(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_one_daemon_per_state_folder(tmp_path: Path) -> None:
    """A second process is refused while the first lives, however that one ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD_LOCK, os.fspath(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(LedgerLockedError, match="another zssr-daemon is running") as caught:
            LedgerLock(tmp_path)
        assert caught.value.exit_code == 75
        holder.kill()
        holder.wait()
    LedgerLock(tmp_path).release()
    LedgerLock(tmp_path).release()
