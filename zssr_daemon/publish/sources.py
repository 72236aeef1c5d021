"""Sources: whether the file of a job is still in the inbox, and still the same."""

import sqlite3
from pathlib import Path

from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system import durable
from zssr_daemon.system.file_identity import FileIdentity


class Sources:
    """Looks at the files of one inbox for the jobs of one ledger."""

    def __init__(self, inbox: Path, ledger: Ledger, markers: Markers) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._markers = markers

    def exists(self, job: Job) -> bool:
        """Tell whether there is still a file under the name of the source.

        Raises:
            OSError: nobody can tell, because the inbox is not mounted.
        """
        return self._identity_of(job) is not None

    def recognise(self, job: Job) -> Job | None:
        """Return the job if its source is still the file that was queued; None if it is not.

        The content decides. A file that was only touched, or whose share was mounted again under
        another device or inode number, is recorded with its new identity.

        Raises:
            OSError: nobody can tell, because the inbox is not mounted.
        """
        identity = self._identity_of(job)
        if identity == job.identity:
            return job
        if identity is None or identity.size != job.identity.size or job.sha256 is None:
            return None
        source = self._inbox / job.src_rel
        is_same = not source.is_symlink() and has_hash(source, job.sha256)
        if not is_same or durable.identity_of(source) != identity:
            return None
        try:
            return self._ledger.adopt(job.id, identity)
        except sqlite3.IntegrityError:  # another job's file has that device and inode
            return None

    def _identity_of(self, job: Job) -> FileIdentity | None:
        inbox = self._inbox
        identity = durable.identity_of(inbox / job.src_rel)
        if identity is None:  # gone, or is its file system not mounted?
            self._markers.require(inbox)
        return identity


def has_hash(path: Path, sha256: str) -> bool:
    """Tell whether there is a file with this content."""
    return path.is_file() and durable.sha256_of(path) == sha256
