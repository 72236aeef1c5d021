"""Retrier: brings a failed job back to the queue when an administrator asks for it.

The steps, each durable before the next:

    name in the inbox committed -> file moved -> its own profiles and sidecars moved
    -> record removed -> "retry" committed

Until the last step the ledger says that the source is still to be moved away. So the recovery
after an interruption undoes the retry: it moves the file to failed/ again. After the last step the
file is in the inbox, passes the gate like any other, and its job goes on under the same id.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from zssr_daemon.errors import RetryRefusedError
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.endings import ERROR_RECORD
from zssr_daemon.publish import profile_moves, sidecar_moves
from zssr_daemon.publish.output_names import name_tags
from zssr_daemon.settings.schema import Folders
from zssr_daemon.system import durable, file_names
from zssr_daemon.system.durable import ReplacedError
from zssr_daemon.system.file_identity import FileIdentity


class Retrier:
    """Brings back jobs of one ledger; the caller holds the ledger's lock."""

    def __init__(self, folders: Folders, ledger: Ledger, markers: Markers) -> None:
        self._folders = folders
        self._ledger = ledger
        self._markers = markers

    def retry(self, job_id: str) -> str:
        """Queue a job again, with no attempt counted; return its image's path below the inbox.

        Raises:
            RetryRefusedError: the job cannot be tried again; the message says why.
            OSError: a disk fails, or a folder is not mounted.
        """
        try:
            job = self._ledger.get(job_id)
        except KeyError as error:
            raise RetryRefusedError(f"no job has the id {job_id}") from error
        if job.disposal is Disposal.KEEP:
            if job.state is JobState.FAILED:
                self._remove_record(job)
            self._ledger.disposed(job.id, Disposal.RERUN)  # the next scan makes a new job
            return job.src_rel
        source = self._source_of(job)
        identity = durable.identity_of(source)
        if identity is None:
            raise RetryRefusedError(
                f"{source} is no longer there; drop the image into the inbox again"
            )
        return self._bring_back(job, source, identity)

    def _source_of(self, job: Job) -> Path:
        if job.state is not JobState.FAILED:
            raise RetryRefusedError(f"it is {job.state}; only failed jobs can be tried again")
        if job.disposal is Disposal.RETRY:
            raise RetryRefusedError("it is back in the inbox already; the next scan queues it")
        if job.disposal is None:
            raise RetryRefusedError("its file is not in failed/ yet; try again in a minute")
        if job.disposal_rel is None:
            raise RetryRefusedError(
                "its file was taken away before the job ended; drop the image into the inbox again"
            )
        return self._folders.failed / job.disposal_rel

    def _bring_back(self, job: Job, source: Path, identity: FileIdentity) -> str:
        for folder in (self._folders.inbox, self._folders.failed):
            self._markers.require(folder)
        for tag in name_tags(job):
            rel = file_names.tagged(job.src_rel, tag) if tag else job.src_rel
            if self._is_moved(job, source, rel, identity):
                reach(Failpoint.RETRY_MOVED)
                profile_moves.follow(source, self._folders.inbox / rel, is_shared_out=True)
                sidecar_moves.follow(source, self._folders.inbox / rel)
                self._remove_record(job)
                self._ledger.retried(job.id)
                reach(Failpoint.RETRIED)
                return rel
        raise RetryRefusedError(f"{job.src_rel} is taken in the inbox; move that file first")

    def _is_moved(self, job: Job, source: Path, rel: str, identity: FileIdentity) -> bool:
        """Move the file to `rel` below the inbox; False when that name is taken."""
        target = self._folders.inbox / rel
        if os.path.lexists(target):
            return False
        try:
            self._ledger.plan_retry(job.id, src_rel=rel, identity=identity)
        except sqlite3.IntegrityError as error:
            raise RetryRefusedError(
                "another job works on the same file; wait for its end"
            ) from error
        reach(Failpoint.RETRY_PLANNED)
        try:
            durable.make_folder(target.parent, below=self._folders.inbox)
            durable.move_no_replace(source, target, identity=identity)
        except FileExistsError:
            self._ledger.undo_retry(job.id, src_rel=job.src_rel)
            return False
        except ReplacedError as error:
            self._ledger.undo_retry(job.id, src_rel=job.src_rel)
            raise RetryRefusedError("its file was just replaced by another; try again") from error
        return True

    def _remove_record(self, job: Job) -> None:
        assert job.disposal_rel is not None
        record = self._folders.failed / (job.disposal_rel + ERROR_RECORD)
        with suppress(FileNotFoundError):
            record.unlink()
            durable.fsync_folder(record.parent)
        reach(Failpoint.RECORD_REMOVED)
