"""Requests: jobs are told as plain rows, cancelled and admitted, and nothing else is harmed."""

import json
import time
from typing import Any

import pytest

from tests.daemon.test_admin import answer
from tests.parts.daemon_parts import drop, queue
from tests.parts.fake_executor import failing, silent
from tests.parts.ledger_parts import add
from tests.parts.stepped_daemon import DaemonFactory, SteppedDaemon, lines_of
from zssr_daemon.errors import Reason
from zssr_daemon.ledger.job import JobState
from zssr_daemon.publish import expiry

ROW = {
    "id", "image", "state", "place", "attempts", "width", "height", "out_rel", "out_sha256",
    "disposal", "disposal_rel", "reason", "message", "found", "created_at", "started_at",
    "finished_at", "preset", "scale", "lane", "expires_at",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _expire_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "_LOOK_S", 0.0)


def ended(daemon: SteppedDaemon, count: int = 1) -> None:
    """Step until so many jobs have ended and their sources are moved away."""
    daemon.steps_until(
        lambda: (
            daemon.ledger.count(JobState.DONE, JobState.FAILED) == count
            and not daemon.ledger.blocking()
        )
    )


# -- what is told -----------------------------------------------------------------------------


def test_snapshot_tells_everything_at_once(make_daemon: DaemonFactory) -> None:
    """Each list in its order, with counts of the whole lists."""
    daemon = make_daemon(failing(Reason.CORRUPT, is_retryable=False))
    queue(daemon.ledger, daemon.settings, "bad.png")
    ended(daemon)
    queue(daemon.ledger, daemon.settings, "good.png")
    ended(daemon, 2)
    daemon.executor.answers.append(silent)
    for name in ("running.png", "a.png", "b.png"):
        queue(daemon.ledger, daemon.settings, name)
    daemon.steps_until(lambda: len(daemon.executor.orders) == 3)
    (daemon.settings.folders.inbox / "empty.png").touch()
    daemon.steps_until(lambda: daemon.supervisor._intake.settling == 1)
    told = answer(daemon, command="snapshot", limit=1)
    assert told["settling"] == ["empty.png"]
    assert [(row["image"], row["place"]) for row in told["queued"]] == [("a.png", 1)]
    (good,), (bad,) = told["done"], told["failed"]
    assert set(good) == ROW
    assert (good["image"], good["out_rel"], good["scale"]) == ("good.png", "good_x2.png", "2")
    assert (bad["image"], bad["reason"], bad["message"]) == ("bad.png", "corrupt", "told so")
    assert [job["image"] for job in told["status"]["jobs"]] == ["running.png"]
    assert told["counts"] == {"settling": 1, "queued": 2, "running": 1, "done": 1, "failed": 1}
    assert told["done_last_hour"] == 1
    assert told["empty_in_s"] >= 0.0


def test_empty_queue_ends_at_no_time(make_daemon: DaemonFactory) -> None:
    """Nothing is said where nothing waits, or nothing was ever done."""
    daemon = make_daemon(silent)
    assert answer(daemon, command="snapshot")["empty_in_s"] is None
    queue(daemon.ledger, daemon.settings)
    assert answer(daemon, command="snapshot")["empty_in_s"] is None


def test_jobs_are_told_page_by_page(make_daemon: DaemonFactory) -> None:
    """The cursor of one page is the start of the next."""
    daemon = make_daemon()
    for number in range(3):
        add(daemon.ledger, number + 100)
    daemon.signals.drain()  # nothing is claimed
    first = answer(daemon, command="jobs", state="queued", limit=2)
    assert [row["place"] for row in first["jobs"]] == [1, 2]
    second = answer(daemon, command="jobs", state="queued", limit=2, after=first["next"])
    assert [(row["image"], row["place"]) for row in second["jobs"]] == [("102.png", 3)]
    assert second["next"] is None
    assert answer(daemon, command="jobs", below="web") == {"jobs": [], "next": None}


def test_job_is_told_with_its_settings(make_daemon: DaemonFactory) -> None:
    """Those that it was queued with."""
    daemon = make_daemon(output={"format": "tiff"})
    drop(daemon.settings.folders.inbox)
    ended(daemon)
    (job,) = daemon.ledger.newest()
    told = answer(daemon, command="job", job_id=job.id)["job"]
    assert set(told) == ROW | {"settings"}
    assert told["settings"]["output"]["format"] == "tiff"


@pytest.mark.parametrize(
    ("request_keys", "error"),
    [
        ({"command": "jobs", "state": "lost"}, "'lost' is not a valid JobState"),
        ({"command": "jobs", "after": "x"}, "Expecting value"),
        ({"command": "jobs", "limit": "many"}, "limit must be a whole number"),
        ({"command": "jobs", "below": 7}, "below must be a text"),
        ({"command": "job", "job_id": "0"}, "no job has the id 0"),
        ({"command": "job"}, "job_id is missing"),
        ({"command": "cancel", "job_id": "0"}, "no job has the id 0"),
        ({"command": "admit", "image": "gone.png"}, "the inbox holds no such image"),
        ({"command": "admit", "image": "a", "result_kept_s": -1}, "result_kept_s must be seconds"),
        ({"command": ["jobs"]}, "this daemon knows no such command"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    make_daemon: DaemonFactory, request_keys: dict[str, Any], error: str
) -> None:
    """In words, and the daemon goes on."""
    daemon = make_daemon()
    assert error in answer(daemon, **request_keys)["error"]


# -- cancel -----------------------------------------------------------------------------------


def test_queued_job_is_cancelled_at_once(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """Its source goes to failed/ with a record; it is no failure, and the running job goes on."""
    daemon = make_daemon(silent)
    running, queued = (queue(daemon.ledger, daemon.settings, name) for name in ("a.png", "b.png"))
    daemon.steps_until(lambda: daemon.executor.orders)
    assert answer(daemon, command="cancel", job_id=queued.id) == {"image": "b.png"}
    job = daemon.ledger.get(queued.id)
    assert (job.state, job.reason, job.disposal) == ("failed", "cancelled", "failed")
    assert daemon.files()["failed"] == ["b.png", "b.png.error.json"]
    record = json.loads((daemon.settings.folders.failed / "b.png.error.json").read_text())
    assert (record["reason"], record["attempts"]) == ("cancelled", 0)
    (line,) = lines_of(log, "job_failed")
    assert (line["job_id"], line["reason"], line["log_level"]) == (job.id, "cancelled", "info")
    assert daemon.ledger.get(running.id).state == "running"
    assert not daemon.supervisor._jobs.has_failures


def test_running_job_is_cancelled_when_its_worker_has_stopped(make_daemon: DaemonFactory) -> None:
    """It is answered at once; the end follows, and the next job begins."""
    daemon = make_daemon(silent)
    first, second = (queue(daemon.ledger, daemon.settings, name) for name in ("a.png", "b.png"))
    daemon.steps_until(lambda: daemon.executor.orders)
    told = answer(daemon, command="cancel", job_id=first.id)
    assert told == {"image": "a.png", "stopping": True}
    ended(daemon, 2)
    job = daemon.ledger.get(first.id)
    assert (job.state, job.reason, job.attempts) == ("failed", "cancelled", 1)
    assert daemon.ledger.get(second.id).state == "done"
    assert daemon.files()["output"] == ["b_x2.png"]
    assert not daemon.supervisor._jobs.has_failures


@pytest.mark.parametrize("is_retryable", [True, False])
def test_attempt_that_fails_meanwhile_is_cancelled_too(
    make_daemon: DaemonFactory, is_retryable: bool
) -> None:
    """Whatever the worker says after the request, the job is neither repeated nor blamed."""
    daemon = make_daemon(silent)
    job = queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.executor.orders)
    daemon.supervisor._jobs.ask_cancel(daemon.ledger.get(job.id))
    daemon.executor.answers[0] = failing(Reason.CORRUPT, is_retryable=is_retryable)
    ended(daemon)
    assert daemon.ledger.get(job.id).reason == "cancelled"


def test_output_that_is_ready_too_late_is_not_published(make_daemon: DaemonFactory) -> None:
    """Its part is removed."""
    daemon = make_daemon(silent)
    job = queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.executor.orders)
    daemon.supervisor._jobs.ask_cancel(daemon.ledger.get(job.id))
    daemon.executor.answers.clear()
    ended(daemon)
    assert daemon.ledger.get(job.id).reason == "cancelled"
    assert "output" not in daemon.files()


def test_request_survives_the_end_of_the_daemon(make_daemon: DaemonFactory) -> None:
    """What was asked before a stop, or a crash, is carried out; the job does not begin again."""
    daemon = make_daemon(silent)
    jobs = [queue(daemon.ledger, daemon.settings, name) for name in ("a.png", "b.png")]
    daemon.steps_until(lambda: daemon.executor.orders)
    daemon.supervisor._jobs.ask_cancel(daemon.ledger.get(jobs[0].id))
    daemon.signals.stop()
    daemon.supervisor.run()
    assert daemon.counts() == {"queued": 1, "failed": 1}
    daemon.ledger.claim(now=time.time())
    daemon.ledger.ask_cancel(jobs[1].id, message="an administrator stopped it")
    make_daemon().supervisor._recover()
    assert [daemon.ledger.get(job.id).reason for job in jobs] == ["cancelled"] * 2


def test_retry_brings_a_cancelled_job_back(make_daemon: DaemonFactory) -> None:
    """Under the same id, with no attempt counted."""
    daemon = make_daemon(silent)
    job = queue(daemon.ledger, daemon.settings)
    daemon.steps_until(lambda: daemon.executor.orders)
    answer(daemon, command="cancel", job_id=job.id)
    ended(daemon)
    daemon.executor.answers.clear()
    assert answer(daemon, command="retry", job_id=job.id) == {"image": "a.png"}
    daemon.steps_until(lambda: daemon.counts() == {"done": 1})
    after = daemon.ledger.get(job.id)
    assert (after.attempts, after.reason) == (1, None)


@pytest.mark.parametrize(
    ("state", "words"),
    [("publishing", "is being published"), ("done", "done already"), ("failed", "failed already")],
)
def test_what_has_ended_is_not_cancelled(
    make_daemon: DaemonFactory, state: str, words: str
) -> None:
    """The caller learns what became of it instead."""
    daemon = make_daemon()
    job = add(daemon.ledger)
    daemon.signals.drain()
    if state == "publishing":
        daemon.ledger.publishing(job.id, out_rel="a", out_sha256="ab")
    elif state == "done":
        daemon.ledger.done(job.id, now=1.0)
    else:
        daemon.ledger.fail(job.id, now=1.0, reason=Reason.CORRUPT, message="m")
    with pytest.raises(Exception, match=words):
        daemon.supervisor._admin._requests.reply({"command": "cancel", "job_id": job.id})


# -- admission --------------------------------------------------------------------------------


def test_admitted_file_overtakes_and_expires(make_daemon: DaemonFactory, log: list[Any]) -> None:
    """It does not settle, its job is claimed next, and its result goes after its time."""
    daemon = make_daemon(silent, watch={"stable_after_s": 1000.0}, output={"report": True})
    queue(daemon.ledger, daemon.settings, "first.png")
    daemon.steps_until(lambda: daemon.executor.orders)
    for name in ("a.png", "b.png"):
        queue(daemon.ledger, daemon.settings, name)
    drop(daemon.settings.folders.inbox, "web/try/x.png")
    admit = {"command": "admit", "image": "web/try/x.png", "lane": 1}
    assert answer(daemon, **admit, result_kept_s=3600) == {}
    daemon.steps_until(lambda: daemon.ledger.count(JobState.QUEUED) == 3)
    told = answer(daemon, command="jobs", state="queued")["jobs"]
    assert (told[0]["image"], told[0]["lane"]) == ("web/try/x.png", 1)
    daemon.executor.answers.clear()
    ended(daemon, 4)
    assert [order.src_rel for order in daemon.executor.orders][1] == "web/try/x.png"
    (job,) = daemon.ledger.listing.page(below="web").jobs
    assert job.expires_at == pytest.approx((job.finished_at or 0.0) + 3600)
    output = daemon.settings.folders.output
    (output / "web/try/x_x2.png.report.html").write_text("a report")
    daemon.step()
    assert "web/try/x_x2.png" in daemon.files()["output"]
    daemon.ledger._jobs.update(job.id, expires_at=time.time())
    daemon.step()
    assert daemon.files()["output"] == ["a_x2.png", "b_x2.png", "first_x2.png"]
    assert not (output / "web/try").exists()
    (line,) = lines_of(log, "result_expired")
    assert (line["job_id"], line["output"]) == (job.id, "web/try/x_x2.png")
    assert daemon.ledger.get(job.id).out_rel is None


def test_file_in_the_place_of_an_expired_result_stays(make_daemon: DaemonFactory) -> None:
    """Only what the job has published is removed."""
    daemon = make_daemon()
    drop(daemon.settings.folders.inbox)
    answer(daemon, command="admit", image="a.png", lane=1, result_kept_s=3600)
    ended(daemon)
    output = daemon.settings.folders.output / "a_x2.png"
    output.write_text("edited by its owner")
    daemon.ledger._jobs.update(daemon.ledger.newest()[0].id, expires_at=time.time())
    daemon.steps_until(lambda: not daemon.ledger.expired(time.time()))
    assert output.read_text() == "edited by its owner"


def test_dropped_file_keeps_its_result(make_daemon: DaemonFactory) -> None:
    """Only a caller of the control socket can ask for less."""
    daemon = make_daemon()
    drop(daemon.settings.folders.inbox)
    ended(daemon)
    (job,) = daemon.ledger.newest()
    assert (job.lane, job.result_kept_s, job.expires_at) == (0, None, None)


def test_admitted_file_passes_the_whole_gate(make_daemon: DaemonFactory) -> None:
    """What is no picture fails as it would otherwise."""
    daemon = make_daemon(watch={"unreadable_after_s": 0.0})
    (daemon.settings.folders.inbox / "a.png").write_text("no picture")
    answer(daemon, command="admit", image="a.png", lane=1)
    ended(daemon)
    assert daemon.counts() == {"failed": 1}


@pytest.mark.parametrize(
    "image",
    [
        "../secret.png",
        "/etc/secret.png",
        "link/secret.png",
        "./a.png",
        "sub//a.png",
        ".hidden.png",
        "sub/.hidden/a.png",
        "a.png.error.json",
        "a\0.png",
        "x" * 300 + ".png",
        "",
        "sub",
        "empty.png",
    ],
)
def test_path_that_no_scan_finds_is_not_admitted(make_daemon: DaemonFactory, image: str) -> None:
    """A caller who makes up a path reaches nothing outside, or hidden in, the inbox."""
    daemon = make_daemon()
    inbox = daemon.settings.folders.inbox
    for name in ("a.png", "sub/a.png", ".hidden.png", "sub/.hidden/a.png", "../secret.png"):
        drop(inbox, name)
    (inbox / "empty.png").touch()
    (inbox / "link").symlink_to(inbox.parent)
    request = {"command": "admit", "image": image, "lane": 1}
    with pytest.raises(Exception, match="holds no such image"):
        daemon.supervisor._admin._requests.reply(request)
    assert (inbox.parent / "secret.png").exists()
