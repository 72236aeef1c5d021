"""Expiry: a result goes when its time is over, whole, once, and nothing else with it."""

import time

import pytest

from tests.parts.daemon_parts import drop, files_in, identity_of
from tests.parts.publish_parts import CONTENT, FileMoves, crash_at, marked, publish
from zssr_daemon.ledger.admission import Admission
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.expiry import Expirer
from zssr_daemon.settings.schema import Settings

KEPT_S = 3600.0


def done(ledger: Ledger, settings: Settings, publisher: FileMoves, name: str) -> Job:
    """Admit a file for an hour, and publish its output with a report beside it."""
    identity = identity_of(drop(settings.folders.inbox, name))
    ledger.admissions.keep(identity, Admission(lane=1, result_kept_s=KEPT_S))
    ledger.add(name, identity, now=time.time(), width=12, height=10)
    job = ledger.claim(now=time.time())
    assert job is not None
    part = publisher.part_path(job)
    part.write_bytes(CONTENT)
    part.with_suffix(".report").write_text("a report")
    return publish(publisher, job)


def expire(ledger: Ledger, settings: Settings, at: float) -> list[Job]:
    """Do what a new daemon does at a moment since the epoch."""
    expirer = Expirer(settings.folders.output, ledger, marked(settings, ledger))
    return list(expirer.step(0.0, at))


def test_goes_with_its_report_and_its_folder(
    ledger: Ledger, settings: Settings, publisher: FileMoves
) -> None:
    """Not before its time, and not twice; what lies elsewhere stays."""
    job = done(ledger, settings, publisher, "web/try/a.png")
    done(ledger, settings, publisher, "web/b.png")
    ledger._jobs.update(ledger.newest()[0].id, expires_at=None)
    assert job.finished_at is not None
    assert expire(ledger, settings, job.finished_at + KEPT_S - 1) == []
    (ended,) = expire(ledger, settings, job.finished_at + KEPT_S)
    assert (ended.id, ended.out_rel) == (job.id, "web/try/a_x2.png")
    left = ["web/b_x2.png", "web/b_x2.png.report.html"]
    assert files_in(settings.folders.output) == left
    assert not (settings.folders.output / "web/try").exists()
    assert expire(ledger, settings, 1e12) == []


def test_folder_stays_while_another_job_writes_to_it(
    ledger: Ledger, settings: Settings, publisher: FileMoves
) -> None:
    """Its worker is about to begin a part there."""
    done(ledger, settings, publisher, "web/a.png")
    drop(settings.folders.inbox, "web/next.png")
    ledger.add("web/next.png", identity_of(settings.folders.inbox / "web/next.png"), now=1.0)
    expire(ledger, settings, 1e12)
    assert files_in(settings.folders.output) == []
    assert (settings.folders.output / "web").is_dir()


def test_crash_at_each_step(
    ledger: Ledger, settings: Settings, publisher: FileMoves, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next daemon removes what is left, and nothing remains."""
    steps = 0
    while True:
        job = done(ledger, settings, publisher, f"web/try-{steps}/a.png")
        has_crashed = crash_at(steps, monkeypatch, lambda: expire(ledger, settings, 1e12))
        expire(ledger, settings, 1e12)
        assert files_in(settings.folders.output) == []
        assert not (settings.folders.output / f"web/try-{steps}").exists()
        assert ledger.get(job.id).out_rel is None
        if not has_crashed:
            break
        steps += 1
    assert steps > 3
