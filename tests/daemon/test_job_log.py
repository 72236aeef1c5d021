"""JobLog: each line names its job, progress is sampled, and the last line tells everything."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.parts.daemon_parts import queue
from tests.parts.tiny_settings import TINY
from tests.parts.work_reports import report_of
from zssr_daemon.daemon.job_log import JobLog
from zssr_daemon.errors import Reason
from zssr_daemon.executor.interface import Place
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.messages import Stage, WorkProgress, WorkReport
from zssr_daemon.settings.schema import Settings


@pytest.fixture
def job(ledger: Ledger, settings: Settings) -> Job:
    """Return a queued job."""
    return queue(ledger, settings)


def progress(stage: Stage, step: int) -> WorkProgress:
    """Return a sign of life."""
    return WorkProgress(
        job_id="j", stage=stage, step=step, steps=9, fraction=0.123456, loss=0.5, lr=0.1
    )


def report(psnr_db: float | None) -> WorkReport:
    """Return a report."""
    return report_of(
        out_height=3,
        seconds={"fit": 1.23456},
        iterations=4,
        is_fallback=True,
        psnr_network_db=psnr_db,
        psnr_bicubic_db=30.12345,
        patch_size=64,
        batch_size=2,
        peak_memory_bytes=5,
    )


def test_progress_is_sampled(job: Job) -> None:
    """One line at the start of each stage, and no more within the interval."""
    log = JobLog(progress_interval_s=1e6)
    with capture_logs() as lines:
        stages: tuple[Stage, ...] = ("decode", "fit", "infer")
        for stage in stages:
            for step in range(100):
                log.progress(job, progress(stage, step), None)
    assert [(line["stage"], line["step"]) for line in lines] == [
        ("decode", 0),
        ("fit", 0),
        ("infer", 0),
    ]
    assert lines[0]["fraction"] == 0.1235


def test_progress_of_the_next_attempt_is_told(job: Job) -> None:
    """Each attempt logs its first progress, also in the stage in which the last one ended."""
    log = JobLog(progress_interval_s=1e6)
    with capture_logs() as lines:
        for _ in range(2):
            log.progress(job, progress("fit", 0), None)
            log.reattempted(job, Reason.WORKER_CRASH, "m", 1.0)
    assert [line["event"] for line in lines] == ["job_progress", "job_retry"] * 2


def test_every_line_names_its_job(job: Job) -> None:
    """Job, image and attempt are on each."""
    log = JobLog(progress_interval_s=1.0)
    with capture_logs() as lines:
        log.started(job, Place("cpu"), TINY)
        log.progress(job, progress("fit", 0), 3.14159)
        log.reattempted(job, Reason.IO_ERROR, "m", 1.0)
        log.disposal_delayed(job, "m")
        log.failed(job)
        log.done(job, report(30.0), TINY, Place("cuda:1", "node7"))
    assert len(lines) == 6
    for line in lines:
        assert (line["job_id"], line["image"], line["attempt"]) == (job.id, "a.png", 0)
    places = [(line.get("device"), line.get("node")) for line in (lines[0], lines[-1])]
    assert places == [("cpu", None), ("cuda:1", "node7")]


@pytest.mark.parametrize(
    ("psnr_db", "expected"), [(31.23456, 31.235), (None, None), (math.inf, None), (math.nan, None)]
)
def test_canonical_line_is_strict_json(
    job: Job, psnr_db: float | None, expected: float | None
) -> None:
    """Numbers are rounded for readers; what JSON has no number for is null."""
    with capture_logs() as lines:
        JobLog(1.0).done(job, report(psnr_db), TINY, Place("cpu"))
    line: dict[str, Any] = dict(lines[0])
    json.dumps(line, allow_nan=False)
    assert line["psnr_network_db"] == expected
    assert (line["psnr_bicubic_db"], line["seconds"]) == (30.123, {"fit": 1.235})
    assert (line["patch_size"], line["batch_size"]) == (64, 2)
    assert (line["out_width"], line["out_height"], line["fallback"]) == (2, 3, True)


@pytest.mark.parametrize(
    ("start", "warm"), [("folder", "a" * 64), ("rgb-48x6", None), (None, None)]
)
def test_hash_of_a_folder_has_its_old_key_too(
    job: Job, start: str | None, warm: str | None
) -> None:
    """Scripts that read warm_start_sha256 go on working; a drawn start is not called so."""
    sha256 = None if start is None else "a" * 64
    with capture_logs() as lines:
        told = replace(report(30.0), start=start, start_sha256=sha256)
        JobLog(1.0).done(job, told, TINY, Place("cpu"))
    assert (lines[0]["start"], lines[0]["start_sha256"]) == (start, sha256)
    assert lines[0]["warm_start_sha256"] == warm


def test_remaining_time_is_guessed_late() -> None:
    """There is none during the first per cents; then it is in proportion."""
    early = progress("fit", 0)
    assert early.eta_s(10.0) == pytest.approx(10.0 * (1 - 0.123456) / 0.123456)
    unknown = WorkProgress(
        job_id="j", stage="decode", step=0, steps=1, fraction=0.01, loss=None, lr=None
    )
    assert unknown.eta_s(10.0) is None
