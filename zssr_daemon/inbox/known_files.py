"""KnownFiles: which files of the inbox have a job, at the moment of one scan."""

import sqlite3

from zssr_daemon.inbox.scan import Candidate, InboxScan
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.file_identity import FileIdentity


class KnownFiles:
    """The files that have a job, by device and inode and by path."""

    def __init__(self, ledger: Ledger, scan: InboxScan) -> None:
        self._ledger = ledger
        self._scan = scan
        jobs = ledger.blocking()
        self._by_inode = {(job.identity.dev, job.identity.ino): job for job in jobs}
        self._by_rel = {job.src_rel: job for job in jobs}

    def cover(self, candidate: Candidate) -> bool:
        """Tell whether a job has this file.

        A queued job follows its file through a rename or a new mount, and is forgotten if the file
        was rewritten. If the job is in work, a change is noticed before its output is published.
        """
        identity = candidate.identity
        job = self._by_inode.get((identity.dev, identity.ino))
        if job is None or job.identity != identity:
            namesake = self._by_rel.get(candidate.rel)
            if namesake is not None and namesake.identity.has_stamp_of(identity):
                return self._adopt(namesake, identity)
        if job is None:
            return False
        if job.state is not JobState.QUEUED:
            return True
        if job.identity != identity:
            self._ledger.forget(job.id)
            return False
        if job.src_rel != candidate.rel and self._scan.look(job.src_rel) is None:
            self._ledger.rename(job.id, candidate.rel)
        return True

    def _adopt(self, job: Job, identity: FileIdentity) -> bool:
        """Give a job the new identity of its file, after a new mount or where inodes change."""
        if job.state is not JobState.QUEUED:
            return True
        try:
            self._ledger.adopt(job.id, identity)
        except sqlite3.IntegrityError:  # another file still has its inode: it settles again
            self._ledger.forget(job.id)
            return False
        return True
