"""GateOutcome: what the gate decides about a file.

`rel` is a path relative to the inbox, in `os.fsdecode` form.
"""

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
    """A file can never be processed; its job is there to be failed with this reason."""

    job: Job
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file of the inbox is not an image, and stays where it is."""

    rel: str


@dataclass(frozen=True, slots=True)
class LinkIgnored:
    """A symbolic link of the inbox is not followed, and stays where it is."""

    rel: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A file is known already: it is another name of a queued one, or was done and kept."""

    rel: str


@dataclass(frozen=True, slots=True)
class Delayed:
    """Disk or share cannot read a file now; it is tried again after `wait_s` seconds."""

    rel: str
    message: str
    wait_s: float


GateOutcome = Queued | Refused | Ignored | LinkIgnored | Duplicate | Delayed
