"""The ledger: every change is durable, no file is queued twice, and no job is lost."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES
from tests.parts.ledger_parts import add, file_id
from zssr_daemon.errors import Reason
from zssr_daemon.ledger.admission import Admission
from zssr_daemon.ledger.job import LIVE_STATES, Disposal, Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.file_identity import FileIdentity


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
    """Until its source is disposed of, a job blocks another for the same inode."""
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
    """The count is durable before anything runs, so that it survives a crash."""
    job = add(ledger)
    claim(ledger, now=7.0)
    reader = Ledger.open_to_read(tmp_path / "state")
    seen = reader.get(job.id)
    reader.close()
    assert (seen.state, seen.attempts, seen.started_at) == (JobState.RUNNING, 1, 7.0)


def test_settings_of_a_job(ledger: Ledger) -> None:
    """Equal settings are stored once; a job names those it was queued with, then began with."""
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
    """Neither many failing jobs nor many new ones delay the other kind."""
    for number in range(3):
        add(ledger, number)
    for job in [claimed(ledger) for _ in range(3)]:
        ledger.reattempt(job.id, not_before=0.0, reason=Reason.IO_ERROR, message="m")
    for number in range(3, 6):
        add(ledger, number)
    kinds = ["new" if claimed(ledger).attempts == 1 else "retried" for _ in range(6)]
    assert kinds[0] != kinds[1]
    assert kinds == kinds[:2] * 3


def test_higher_lane_is_claimed_first(ledger: Ledger) -> None:
    """Whatever waits in lower lanes, and however long; within a lane the oldest is first."""
    for number in range(1, 4):
        add(ledger, number, now=float(number))
    claimed(ledger)
    ledger.reattempt(ledger.newest()[-1].id, not_before=0.0, reason=Reason.IO_ERROR, message="m")
    for number in (5, 4):
        ledger.admissions.keep(file_id(number), Admission(lane=1, result_kept_s=None))
        add(ledger, number, now=10.0 - number)
    order = [claimed(ledger).src_rel for _ in range(5)]
    assert order[:2] == ["5.png", "4.png"]
    assert sorted(order[2:]) == ["1.png", "2.png", "3.png"]


def test_admission_is_of_one_file(ledger: Ledger) -> None:
    """Another content under the same name, or a second job of the file, has none."""
    ledger.admissions.keep(file_id(1), Admission(lane=1, result_kept_s=60.0))
    ledger.admissions.keep(file_id(1), Admission(lane=2, result_kept_s=None))
    assert ledger.add("a.png", file_id(1, size=11), now=1.0).lane == 0
    ledger.forget(ledger.newest()[0].id)
    ledger.admissions.keep(file_id(1), Admission(lane=2, result_kept_s=None))
    job = add(ledger)
    assert (job.lane, job.result_kept_s) == (2, None)
    assert ledger.done(job.id, now=1.0).expires_at is None
    assert ledger.admissions.of(file_id(1)) is None


def test_result_expires(ledger: Ledger, tmp_path: Path) -> None:
    """When that is, is in the file; afterwards the job has no result any more."""
    ledger.admissions.keep(file_id(), Admission(lane=1, result_kept_s=60.0))
    job = add(ledger)
    ledger.publishing(job.id, out_rel="a_x2.png", out_sha256="ab")
    ledger.done(job.id, now=100.0)
    other = Ledger.open_to_read(tmp_path / "state")
    assert other.expired(now=159.0) == []
    assert [each.id for each in other.expired(now=160.0)] == [job.id]
    other.close()
    removed = ledger.result_removed(job.id)
    assert (removed.state, removed.out_rel, removed.out_sha256) == (JobState.DONE, None, "ab")
    assert ledger.expired(now=1e12) == []


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
    """A forgotten job's row is gone, so that its rewritten file can be queued again."""
    job = add(ledger)
    ledger.forget(job.id)
    with pytest.raises(KeyError):
        ledger.get(job.id)
    add(ledger)


def test_done_clears_the_reason_of_earlier_attempts(ledger: Ledger) -> None:
    """A done job has no reason and message left."""
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
    "expired": lambda ledger: ledger.expired(now=1.0),
    "page": lambda ledger: ledger.listing.page(limit=5),
    "page after": lambda ledger: ledger.listing.page(after="[1.0, 1]", limit=5),
    "page of done": lambda ledger: ledger.listing.page(JobState.DONE, limit=5),
    "page of done after": lambda ledger: ledger.listing.page(JobState.DONE, after="[1.0, 1]"),
    "page of a folder": lambda ledger: ledger.listing.page(below="web"),
    "done_since": lambda ledger: ledger.listing.done_since(1.0),
    "job_takes_s": lambda ledger: ledger.listing.job_takes_s(),
    "admission": lambda ledger: ledger.admissions.of(file_id()),
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_look_up_goes_through_the_history(ledger: Ledger, look: str) -> None:
    """Every look-up uses an index, and none reads through the ended jobs."""
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
            # The newest are read off their index's end; two indexes hold live jobs alone, and
            # `job_takes_s` reads the few rows that its own query has found.
            is_bounded = "jobs_created" in plan and "LIMIT" in statement
            is_live = "jobs_blocking" in plan or "jobs_queue" in plan
            is_few = plan == "SCAN (subquery-1)"
            assert "SCAN" not in plan or is_bounded or is_live or is_few, plan
            assert "TEMP B-TREE" not in plan or "ORDER BY created_at, rowid" in statement, plan
