"""Outcome: what the gate says of a file."""

from dataclasses import dataclass

from zssr_daemon.errors import Reason
from zssr_daemon.imaging.formats import ImageInfo
from zssr_daemon.ledger.job import Job


@dataclass(frozen=True, slots=True)
class Queued:
    """A file passed the gate and has a job."""

    job: Job
    info: ImageInfo


@dataclass(frozen=True, slots=True)
class Refused:
    """A file can never be processed; it has a job that waits to be failed with this reason."""

    job: Job
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file of the inbox is no image and stays where it is."""

    rel: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file is known already: another name of one that is queued, or done and kept."""

    rel: str


Outcome = Queued | Refused | Ignored | Duplicate
