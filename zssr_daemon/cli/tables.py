"""Tables: jobs, status and settings, laid out for people at a terminal."""

import dataclasses
import json
import time
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from zssr_daemon.daemon.progress_board import clock
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.settings.sources import SettingSource
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry.status import JobStatus, Status

_COLOURS = {
    "done": "green",
    "failed": "red",
    "running": "cyan",
    "publishing": "cyan",
    "draining": "yellow",
    "paused": "yellow",
    "starting": "yellow",
    "silent": "red",
    "stopped": "red",
}


def plain_job(job: Job, settings: str | None = None) -> dict[str, Any]:
    """Return a job as plain values that JSON can hold; `settings` are the job's own, as JSON."""
    plain = dataclasses.asdict(job)
    if settings is not None:
        plain["settings"] = json.loads(settings)
    for name in ("src_rel", "out_rel", "disposal_rel"):
        plain[name] = None if plain[name] is None else printable(plain[name])
    return plain


def jobs_table(jobs: list[Job], status: Status | None = None) -> Table:
    """Lay jobs out; with the daemon's status, jobs in work show their progress.

    Of a single job also what was found in its image.
    """
    table = Table(box=box.SIMPLE)
    for header in ("job", "image", "state", "tries", "since (UTC)"):
        table.add_column(header, no_wrap=header != "image")
    table.add_column("output or reason")
    told = {job.job_id: job for job in status.jobs} if status else {}
    for job in jobs:
        since = datetime.fromtimestamp(job.finished_at or job.created_at, UTC)
        outcome = f"{job.reason}: {job.message}" if job.reason else job.out_rel or ""
        if len(jobs) == 1 and job.state == JobState.DONE and job.message:
            outcome += f"; {job.message}"
        if job.id in told:
            outcome = _progress(told[job.id])
        table.add_row(
            job.id[:8],
            Text(printable(job.src_rel)),  # as Text, so that brackets are not read as markup
            Text(job.state, style=_COLOURS.get(job.state, "")),
            str(job.attempts),
            f"{since:%Y-%m-%d %H:%M}",
            Text(printable(outcome)),
        )
    return table


def status_table(status: Status) -> Group:
    """Lay out a daemon's status."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold")
    for name, value in _status_rows(status):
        rows.add_row(name, value)
    parts: list[Any] = [rows]
    if status.jobs:
        parts.append(_running_table(status))
    return Group(*parts)


def settings_table(settings: list[SettingSource]) -> Table:
    """Lay out settings, each with the source that it comes from."""
    table = Table(box=box.SIMPLE)
    for header in ("key", "value", "from"):
        table.add_column(header)
    for each in settings:
        table.add_row(Text(f"[{each.table}] {each.key}"), Text(str(each.value)), Text(each.source))
    return table


def _status_rows(status: Status) -> list[tuple[str, Text]]:
    state = "not running" if status.phase == "stopped" else status.phase
    rows = [("zssr-daemon", Text(state, style=_COLOURS.get(status.phase, "green")))]
    if status.pause is not None:
        rows.append(("paused", Text(f"{status.pause.reason}: {status.pause.message}")))
        rows.append(("paused since", Text(_ago(status.pause.since))))
    rows += [("fault", Text(fault, style="red")) for fault in status.faults]
    if status.pid is not None:
        rows.append(("process", Text(f"{status.pid}, version {status.version}")))
        rows.append(("since", Text(_ago(status.started_at))))
        rows.append(("workers", Text(_workers(status))))
        rows.append(("last scan", Text(_ago(status.last_scan_at))))
        if status.links:
            rows.append(("links", Text(f"{status.links} in the inbox, not followed")))
        if status.watch_fault is not None:
            rows.append(("watch", Text(f"by scans only: {status.watch_fault}", style="yellow")))
        rows.append(("settling", Text(str(status.settling))))
        if status.passed_over:
            rows.append(("no images", Text(f"{status.passed_over} files, left where they are")))
    rows.append(("queued", Text(str(status.queued))))
    if status.oldest_queued_at is not None:
        rows.append(("oldest queued", Text(_ago(status.oldest_queued_at))))
    rows.append(("failed", Text(str(status.failed))))
    return rows


def _workers(status: Status) -> str:
    return ", ".join(
        f"{_place(worker.device, worker.node)} ({'ready' if worker.is_ready else 'starting'}"
        f"{'' if worker.is_well else ', no sign of life'})"
        for worker in status.workers
    )


def _place(device: str, node: str) -> str:
    """Name where something is computed; this machine needs no name."""
    return f"{device} on {printable(node)}" if node else device


def _running_table(status: Status) -> Table:
    table = Table(box=box.SIMPLE)
    for header in ("job", "image", "tries", "", "progress"):
        table.add_column(header)
    for job in status.jobs:
        bar = ProgressBar(total=1.0, completed=job.fraction, width=20)
        table.add_row(job.job_id[:8], Text(job.image), str(job.attempt), bar, Text(_progress(job)))
    return table


def _progress(job: JobStatus) -> str:
    parts = [f"{job.fraction:.0%}"]
    if job.stage is not None:
        parts.append(f"{job.stage} {job.step}/{job.steps}")
    if job.loss is not None:
        parts.append(f"loss {job.loss:.4f}")
    if job.eta_s is not None:
        parts.append(f"{clock(job.eta_s)} left")
    if job.device:
        parts.append(_place(job.device, job.node))
    return ", ".join(parts)


def _ago(moment: float | None) -> str:
    """Say when a moment was, and how long ago; a clock that was set back gives no negative time."""
    if moment is None:
        return "not yet"
    passed_s = max(0.0, time.time() - moment)
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC, {clock(passed_s)} ago"
