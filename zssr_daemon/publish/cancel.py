"""Cancel: ends a job that has not ended yet, because an administrator wants it no more.

The job fails with the reason `cancelled`, and its source goes the way of all failed ones, to
failed/; `retry` brings it back.
"""

import time

from zssr_daemon.errors import CancelRefusedError, Reason
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.publish.disposal import Disposer
from zssr_daemon.publish.sources import Sources
from zssr_daemon.settings.schema import Settings

#: What ledger, log and error record say of a cancelled job.
CANCELLED = "an administrator stopped it"

_REFUSALS = {
    JobState.PUBLISHING: "its output is being published; it is done in a moment",
    JobState.DONE: "it is done already",
    JobState.FAILED: "it has failed already",
}


def cancellable(ledger: Ledger, job_id: str) -> Job:
    """Return the job, which is queued or running.

    Raises:
        CancelRefusedError: it is neither, or there is no such job.
    """
    try:
        job = ledger.get(job_id)
    except KeyError as error:
        raise CancelRefusedError(f"no job has the id {job_id}") from error
    if job.state in _REFUSALS:
        raise CancelRefusedError(_REFUSALS[job.state])
    return job


def disposer_of(settings: Settings, ledger: Ledger) -> Disposer:
    """Return what moves sources where no daemon runs."""
    markers = Markers(ledger)
    sources = Sources(settings.folders.inbox, ledger, markers)
    return Disposer.of(settings, ledger, markers, JobSettings(ledger, settings), sources)


def cancel_without_daemon(ledger: Ledger, disposer: Disposer, job_id: str) -> Job:
    """End a job where no daemon runs, so that an attempt which the ledger calls running is over.

    The caller holds the ledger's lock. What is left undone is finished by the next daemon.

    Raises:
        CancelRefusedError: the job cannot be cancelled; the message says why.
        OSError: a disk fails, or a folder is not mounted.
    """
    job = cancellable(ledger, job_id)
    job = ledger.fail(job.id, now=time.time(), reason=Reason.CANCELLED, message=CANCELLED)
    reach(Failpoint.FAILED)
    return disposer.close(disposer.dispose(job))
