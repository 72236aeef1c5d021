"""Answers: what callers on the control socket are told of jobs, as plain values for JSON.

Paths are printable text, times are seconds since the epoch.
"""

import json
import time
from typing import Any

from zssr_daemon.errors import RequestRefusedError
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.output_names import told_scale
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry.status import Status
from zssr_daemon.zssr.scale import label

#: So many jobs a list at most, so that an answer takes the loop a few milliseconds.
_MAX_ROWS = 100

_HOUR_S = 3600.0

#: What a row takes from its job as it is.
_PLAIN = (
    "id",
    "state",
    "attempts",
    "width",
    "height",
    "out_sha256",
    "disposal",
    "reason",
    "created_at",
    "started_at",
    "finished_at",
    "lane",
    "expires_at",
)


class Answers:
    """Reads the ledger and the intake of one daemon, and changes nothing.

    Any method may raise OSError, when the disk fails.
    """

    def __init__(self, ledger: Ledger, job_settings: JobSettings, intake: Intake) -> None:
        self._ledger = ledger
        self._job_settings = job_settings
        self._intake = intake

    def snapshot(self, status: Status, limit: int) -> dict[str, Any]:
        """Return the status with the first jobs of each list; `counts` are of the whole lists."""
        limit = _bounded(limit)
        queued, done, failed = (
            self._ledger.listing.page(state, limit=limit).jobs
            for state in (JobState.QUEUED, JobState.DONE, JobState.FAILED)
        )
        counts = {
            "settling": status.settling,
            "queued": status.queued,
            "running": len(status.jobs),
            "done": self._ledger.count(JobState.DONE),
            "failed": status.failed,
        }
        return {
            "status": status.to_plain(),
            "settling": [printable(rel) for rel in self._intake.settling_images(limit)],
            "queued": [self._row(job, place) for place, job in enumerate(queued, start=1)],
            "done": [self._row(job) for job in done],
            "failed": [self._row(job) for job in failed],
            "counts": counts,
            "done_last_hour": self._ledger.listing.done_since(time.time() - _HOUR_S),
            "empty_in_s": self._empty_in_s(status),
        }

    def page(
        self, state: str | None, below: str | None, after: str | None, limit: int
    ) -> dict[str, Any]:
        """Return one page of jobs, and the cursor of the next.

        Raises:
            RequestRefusedError: there is no such state, or `after` is no cursor of this list.
        """
        try:
            wanted = None if state is None else JobState(state)
            page = self._ledger.listing.page(
                wanted, below=below, after=after, limit=_bounded(limit)
            )
        except ValueError as error:
            raise RequestRefusedError(str(error)) from error
        places = self._ledger.listing.places(page.jobs)
        rows = [self._row(job, places.get(job.id)) for job in page.jobs]
        return {"jobs": rows, "next": page.next}

    def job(self, job_id: str) -> dict[str, Any]:
        """Return one job, with the settings that it was queued, or last begun, with.

        Raises:
            RequestRefusedError: there is no such job.
        """
        try:
            job = self._ledger.get(job_id)
        except KeyError as error:
            raise RequestRefusedError(f"no job has the id {job_id}") from error
        place = self._ledger.listing.place(job) if job.state is JobState.QUEUED else None
        kept = self._ledger.kept_settings(job.settings_hash or "")
        return {"job": self._row(job, place) | {"settings": json.loads(kept or "{}")}}

    def _row(self, job: Job, place: int | None = None) -> dict[str, Any]:
        is_done = job.state is JobState.DONE
        zssr = self._job_settings.of(job).zssr
        return {
            **{name: getattr(job, name) for name in _PLAIN},
            "image": printable(job.src_rel),
            "place": place,
            "out_rel": _told(job.out_rel),
            "disposal_rel": _told(job.disposal_rel),
            "message": None if is_done else job.message,
            "found": job.message if is_done else None,
            "preset": zssr.preset,
            "scale": label(told_scale(zssr, job.width, job.height)),
        }

    def _empty_in_s(self, status: Status) -> float | None:
        """Estimate the seconds until nothing waits; None while nobody can tell, or nothing does."""
        mean_s = self._ledger.listing.job_takes_s()
        workers = sum(worker.is_ready for worker in status.workers)
        jobs = status.queued + len(status.jobs)
        if mean_s is None or not workers or not jobs or status.pause is not None:
            return None
        running_s = sum(mean_s if job.eta_s is None else job.eta_s for job in status.jobs)
        return round((status.queued * mean_s + running_s) / workers, 1)


def _bounded(limit: int) -> int:
    return max(1, min(limit, _MAX_ROWS))


def _told(rel: str | None) -> str | None:
    return None if rel is None else printable(rel)
