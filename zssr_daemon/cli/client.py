"""Client: what the commands ask a running daemon to do, or do themselves where none is running."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from zssr_daemon import __version__
from zssr_daemon.errors import (
    CancelRefusedError,
    DaemonSilentError,
    NoDaemonError,
    Reason,
    RequestRefusedError,
    RetryRefusedError,
    SettingsError,
)
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.ledger.lock import LedgerLock, is_locked
from zssr_daemon.protocol.control import ask
from zssr_daemon.publish.cancel import cancel_without_daemon, disposer_of
from zssr_daemon.publish.disposal import Disposer
from zssr_daemon.publish.retry import Retrier
from zssr_daemon.settings.schema import Folders, Settings
from zssr_daemon.system.file_names import printable
from zssr_daemon.telemetry.status import Status

_POLL_S = 0.2

_PAGE_ROWS = 1000

_STOPPED = Status(
    version=__version__,
    phase="stopped",
    pid=None,
    started_at=None,
    faults=(),
    pause=None,
    workers=(),
    jobs=(),
    settling=0,
    passed_over=0,
    queued=0,
    failed=0,
    oldest_queued_at=None,
    last_scan_at=None,
    watch=None,
)


@dataclass(frozen=True, slots=True)
class RetryResult:
    """What became of one request to retry a job; `error` is None when it was granted."""

    job_id: str
    image: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of one request to cancel a job; `error` is None when it was granted."""

    job_id: str
    image: str
    is_stopping: bool = False  # it is in work, and ends as soon as its worker has stopped
    error: str | None = None


def status_of(folders: Folders) -> Status:
    """Ask the daemon for its status; without a daemon, read what the ledger knows.

    Raises:
        NotAllowedError: this user may not ask the daemon.
    """
    try:
        return Status.from_plain(ask(folders.state, command="status")["status"])
    except NoDaemonError:
        if not is_locked(folders.state):
            return _with_ledger(_STOPPED, folders)
        fault = (
            "the ledger is locked, but nobody answers: "
            "a daemon may be starting or ending; ask again in a few seconds"
        )
    except DaemonSilentError as error:
        fault = str(error)
    return _with_ledger(replace(_STOPPED, phase="silent", faults=(fault,)), folders)


def cancel(settings: Settings, jobs: list[Job]) -> Iterator[CancelResult]:
    """Have jobs cancelled, one after the other, by the daemon or, without one, by this process.

    Raises:
        NotAllowedError, DaemonSilentError: the daemon cannot be asked.
        LedgerLockedError: another process holds the ledger and answers no questions.
    """
    try:
        for job in jobs:
            reply = ask(settings.folders.state, command="cancel", job_id=job.id)
            image = reply.get("image", printable(job.src_rel))
            is_stopping = bool(reply.get("stopping"))
            yield CancelResult(job.id, image, is_stopping=is_stopping, error=reply.get("error"))
    except NoDaemonError:
        yield from _cancel_here(settings, jobs)


def retry(folders: Folders, jobs: list[Job]) -> Iterator[RetryResult]:
    """Have jobs tried again, one after the other, by the daemon or, without one, by this process.

    Raises:
        NotAllowedError, DaemonSilentError: the daemon cannot be asked.
        LedgerLockedError: another process holds the ledger and answers no questions.
    """
    try:
        for job in jobs:
            reply = ask(folders.state, command="retry", job_id=job.id)
            image = reply.get("image", printable(job.src_rel))
            yield RetryResult(job.id, image, reply.get("error"))
    except NoDaemonError:
        yield from _retry_here(folders, jobs)


def drain(folders: Folders) -> Iterator[int]:
    """Have the daemon finish the jobs in work and end, and wait for its end.

    Yields the number of jobs in work, at once and then whenever it has changed.

    Raises:
        NoDaemonError: no daemon is running.
        NotAllowedError, DaemonSilentError: the daemon cannot be asked.
    """
    running = int(ask(folders.state, command="drain")["running"])
    yield running
    while (status := status_of(folders)).phase != "stopped":
        if len(status.jobs) != running and status.phase != "silent":
            running = len(status.jobs)
            yield running
        time.sleep(_POLL_S)


def jobs_named(state_folder: Path, prefixes: list[str]) -> list[Job]:
    """Return, for each prefix, the one job whose id begins with it.

    Raises:
        RequestRefusedError: for some prefix there is no such job, or more than one.
        SettingsError: there is no ledger.
    """
    with closing(Ledger.open_to_read(state_folder)) as ledger:
        found = [ledger.find(prefix) for prefix in prefixes]
    for prefix, jobs in zip(prefixes, found, strict=True):
        if len(jobs) != 1:
            many = f"{len(jobs)} jobs' ids begin" if jobs else "no job's id begins"
            raise RequestRefusedError(f"{many} with {prefix}; `zssr-daemon jobs` lists them")
    return [jobs[0] for jobs in found]


def failed_jobs(state_folder: Path, *, cancelled: bool = False) -> list[Job]:
    """Return the failed jobs whose files are in failed/, or stayed in the inbox, oldest first.

    Those that an administrator has cancelled are no failures: they are returned where `cancelled`
    asks for them, and then no others.
    """
    there = {Disposal.FAILED, Disposal.KEEP}
    with closing(Ledger.open_to_read(state_folder)) as ledger:
        return [
            job
            for job in ledger.in_state(JobState.FAILED)
            if job.disposal in there and (job.reason == Reason.CANCELLED) is cancelled
        ]


def queued_jobs(state_folder: Path, below: str | None) -> list[Job]:
    """Return the queued jobs in the order of the queue, so that none begins while others end.

    below: only images in this folder of the inbox, or deeper.
    """
    with closing(Ledger.open_to_read(state_folder)) as ledger:
        jobs: list[Job] = []
        after = None
        while True:
            page = ledger.listing.page(JobState.QUEUED, after=after, limit=_PAGE_ROWS)
            jobs += page.jobs
            after = page.next
            if after is None:
                break
    folder = "" if below is None else below.rstrip("/") + "/"
    return [job for job in jobs if job.src_rel.startswith(folder)]


def _cancel_here(settings: Settings, jobs: list[Job]) -> Iterator[CancelResult]:
    with _held_ledger(settings.folders.state) as ledger:
        disposer = disposer_of(settings, ledger)
        for job in jobs:
            yield _cancel_one(ledger, disposer, job)


def _cancel_one(ledger: Ledger, disposer: Disposer, job: Job) -> CancelResult:
    try:
        image = printable(cancel_without_daemon(ledger, disposer, job.id).src_rel)
        return CancelResult(job.id, image)
    except (CancelRefusedError, OSError) as error:
        return CancelResult(job.id, printable(job.src_rel), error=str(error))


def _retry_here(folders: Folders, jobs: list[Job]) -> Iterator[RetryResult]:
    with _held_ledger(folders.state) as ledger:
        retrier = Retrier(folders, ledger, Markers(ledger))
        for job in jobs:
            yield _retry_one(retrier, job)


def _retry_one(retrier: Retrier, job: Job) -> RetryResult:
    try:
        return RetryResult(job.id, printable(retrier.retry(job.id)))
    except (RetryRefusedError, OSError) as error:
        return RetryResult(job.id, printable(job.src_rel), str(error))


@contextmanager
def _held_ledger(state_folder: Path) -> Iterator[Ledger]:
    """Open the ledger to write, where no daemon runs, and keep daemons out meanwhile.

    Raises:
        LedgerLockedError: another process holds it.
    """
    lock = LedgerLock(state_folder)
    try:
        with closing(Ledger.open(state_folder)) as ledger:
            yield ledger
    finally:
        lock.release()


def _with_ledger(status: Status, folders: Folders) -> Status:
    try:
        ledger = Ledger.open_to_read(folders.state)
    except SettingsError:  # nothing was run yet
        return status
    with closing(ledger):
        return replace(
            status,
            queued=ledger.count(JobState.QUEUED),
            failed=ledger.count(JobState.FAILED),
            oldest_queued_at=ledger.oldest_queued_at(),
        )
