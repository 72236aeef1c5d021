"""Helpers for tests of publishing: a job with its part written, and a crash at any step."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_parts import files_in, queue
from zssr_daemon.errors import Reason
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.disposal import Disposer
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.publish.sources import Sources
from zssr_daemon.settings.schema import Settings

CONTENT = b"enlarged"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Crash(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def marked(settings: Settings, ledger: Ledger) -> Markers:
    """Mark the folders, as a daemon's first look at them does."""
    markers = Markers(ledger)
    for folder in settings.folders.by_name().values():
        assert markers.fault(folder) is None
    return markers


class FileMoves(Publisher):
    """A publisher with the disposer that follows it."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        markers: Markers | None = None,
        *,
        takes_sidecars: bool = False,
    ) -> None:
        folders, markers = settings.folders, markers or Markers(ledger)
        sources = Sources(folders.inbox, ledger, markers)
        job_settings = JobSettings(ledger, settings)
        super().__init__(folders, ledger, markers, job_settings, sources)
        keeps = settings.output.on_success == "keep"
        self.disposer = Disposer(
            folders,
            ledger,
            markers,
            job_settings,
            sources,
            takes_sidecars=takes_sidecars,
            keeps_sources=keeps,
        )

    def end(self, job: Job) -> Job:
        """Let the source of an ended job leave the inbox, and record it."""
        return self.disposer.close(self.disposer.dispose(job))


def worked(
    ledger: Ledger, settings: Settings, publisher: Publisher, name: str = "a.png"
) -> tuple[Job, Path]:
    """Queue and claim a file, and write its part, as intake, supervisor and worker do."""
    queue(ledger, settings, name)
    job = ledger.claim(now=time.time())
    assert job is not None
    part = publisher.part_path(job)
    part.write_bytes(CONTENT)
    return job, part


def publish(publisher: FileMoves, job: Job) -> Job:
    """Publish an output, and let the source leave the inbox."""
    return publisher.end(publisher.publish(job, out_sha256=SHA256))


def fail(ledger: Ledger, publisher: FileMoves, job: Job) -> Job:
    """End a job without an output, and let the source leave the inbox."""
    failed = ledger.fail(job.id, now=5.0, reason=Reason.CORRUPT, message="it is broken")
    return publisher.end(failed)


def all_files(settings: Settings) -> dict[str, list[str]]:
    """List the files of the four folders that hold pictures."""
    folders = settings.folders.by_name()
    return {name: files_in(folders[name]) for name in ("inbox", "output", "archive", "failed")}


def crash_at(number: int, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> bool:
    """Run `action` and stop it before its durable step `number`; tell whether it got there."""
    steps = 0

    def counting(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps > number:
                raise Crash
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "link", "replace", "unlink"):
            patch.setattr(os, name, counting(getattr(os, name)))
        for name in ("publishing", "done", "plan_disposal", "disposed", "fail"):
            patch.setattr(Ledger, name, counting(getattr(Ledger, name)))
        try:
            action()
        except Crash:
            return True
    return False


def resume(settings: Settings) -> Job:
    """Do what a new daemon does at its start, with its own ledger, and return the one job."""
    ledger = Ledger.open(settings.folders.state)
    publisher = FileMoves(settings, ledger, marked(settings, ledger))
    for job in ledger.in_state(JobState.PUBLISHING):
        publisher.finish(job)
    for job in ledger.undisposed():
        publisher.end(job)
    publisher.remove_stale_parts()
    (job,) = ledger.newest()
    ledger.close()
    return job
