"""Disposer: moves the source of an ended job out of the inbox.

Each step is durable before the next begins, and can be repeated after a crash.
"""

import json
import os
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

from zssr_daemon import failpoints
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.endings import ERROR_RECORD
from zssr_daemon.publish import profile_moves, sidecar_moves
from zssr_daemon.publish.legal_names import LegalNames
from zssr_daemon.publish.output_names import name_tags
from zssr_daemon.publish.sources import Sources
from zssr_daemon.settings.schema import Folders, Settings
from zssr_daemon.system import durable, file_names
from zssr_daemon.system.durable import ReplacedError


class Disposer:
    """Moves sources to the archive or the failed folder, deletes them, or leaves them."""

    def __init__(
        self,
        folders: Folders,
        ledger: Ledger,
        markers: Markers,
        job_settings: JobSettings,
        sources: Sources,
        *,
        takes_sidecars: bool = False,
        keeps_sources: bool = False,
    ) -> None:
        """Take the parts.

        `takes_sidecars`: files of other programs follow their image. `keeps_sources`: an inbox
        that cannot be written to is meant to be so.
        """
        self._takes_sidecars = takes_sidecars
        self._keeps_sources = keeps_sources
        self._folders = folders
        self._ledger = ledger
        self._markers = markers
        self._job_settings = job_settings
        self._sources = sources
        self._names = {path: LegalNames(path) for path in (folders.archive, folders.failed)}

    @classmethod
    def of(
        cls,
        settings: Settings,
        ledger: Ledger,
        markers: Markers,
        job_settings: JobSettings,
        sources: Sources,
    ) -> Self:
        """Return one that does as the settings say."""
        return cls(
            settings.folders,
            ledger,
            markers,
            job_settings,
            sources,
            takes_sidecars=settings.watch.sidecars == "follow",
            keeps_sources=settings.output.on_success == "keep",
        )

    def dispose(self, job: Job) -> Job:
        """Move an ended job's source out of the inbox (or leave it, as `on_success` says).

        The source's own profiles follow it. A call after a crash goes on where the last one
        stopped. Returns the job with its disposal, which `close` then records.
        """
        if self._must_leave(job):
            return self.leave(job)
        if job.state is JobState.FAILED:
            job = self._move(job, self._folders.failed)
            self._let_follow(job, self._folders.failed)
            self._write_error_record(job)
            return replace(job, disposal=Disposal.FAILED)
        on_success = Disposal(self._job_settings.of(job).output.on_success)
        if on_success is Disposal.ARCHIVE:
            job = self._move(job, self._folders.archive)
            self._let_follow(job, self._folders.archive)
        elif on_success is Disposal.DELETE:
            self._delete(job)
        return replace(job, disposal=on_success)

    def close(self, job: Job) -> Job:
        """Record the disposal of a job: nothing is left to do for it."""
        assert job.disposal is not None
        closed = self._ledger.disposed(job.id, job.disposal)
        failpoints.reach(Failpoint.DISPOSED)
        return closed

    def _must_leave(self, job: Job) -> bool:
        """Tell whether the source has to stay, because the inbox is only to be read."""
        source = self._folders.inbox / job.src_rel
        is_fixed = os.path.lexists(source) and not os.access(source.parent, os.W_OK)
        return self._keeps_sources and is_fixed

    def leave(self, job: Job) -> Job:
        """Leave an ended job's source in the inbox; a failed one gets its record in failed/."""
        if job.state is JobState.FAILED:
            job = self._write_lone_record(job)
        return replace(job, disposal=Disposal.KEEP)

    def _write_lone_record(self, job: Job) -> Job:
        folder = self._folders.failed
        self._markers.require(folder)
        rel = next(
            rel for rel in self._free_rels(job, self._names[folder]) if self._is_free(rel, job)
        )
        job = self._ledger.plan_disposal(job.id, rel)
        durable.make_folder((folder / rel).parent, below=folder)
        self._write_error_record(job)
        return job

    def _is_free(self, rel: str, job: Job) -> bool:
        """Tell whether a record can have the name that belongs to `rel`, as its own job's can."""
        record = self._folders.failed / (rel + ERROR_RECORD)
        is_taken = os.path.lexists(record) or os.path.lexists(self._folders.failed / rel)
        return rel == job.disposal_rel or not is_taken

    def _move(self, job: Job, folder: Path) -> Job:
        """Move the source below `folder`; its name there is committed to the ledger first."""
        self._markers.require(folder)
        source = self._folders.inbox / job.src_rel
        for rel in self._free_rels(job, self._names[folder]):
            known = self._sources.recognise(job)
            if known is None:  # moved already, or removed or replaced by its owner
                with suppress(ReplacedError):  # or copied already, and to be removed
                    durable.remove_exactly(source, job.identity)
                return job
            may_be_reserved = rel == known.disposal_rel
            job = self._ledger.plan_disposal(known.id, rel)
            failpoints.reach(Failpoint.DISPOSAL_PLANNED)
            try:
                durable.make_folder((folder / rel).parent, below=folder)
                durable.move_no_replace(
                    source, folder / rel, identity=job.identity, may_be_reserved=may_be_reserved
                )
            except FileExistsError:
                continue
            except ReplacedError:
                return job
            except OSError as error:
                if not self._names[folder].learn(error):
                    raise
                return self._move(job, folder)
            failpoints.reach(Failpoint.MOVED)
            return job
        raise AssertionError(f"the name with the whole id of job {job.id} is taken")

    @staticmethod
    def _free_rels(job: Job, names: LegalNames) -> list[str]:
        planned = [] if job.disposal_rel is None else [job.disposal_rel]
        reserve_bytes = len(ERROR_RECORD)
        rels = planned + [
            file_names.tagged(job.src_rel, tag, reserve_bytes=reserve_bytes)
            for tag in name_tags(job)
        ]
        return [names.rel(rel) for rel in rels]

    def _let_follow(self, job: Job, folder: Path) -> None:
        """Move the source's own profiles and its sidecars after it, below `folder`.

        A profile that another image needs stays; for a failed source, which may be tried again,
        it is copied.
        """
        if job.disposal_rel is None:  # the source was gone before it could be moved
            return
        source, target = self._folders.inbox / job.src_rel, folder / job.disposal_rel
        profile_moves.follow(source, target, is_shared_out=job.state is JobState.FAILED)
        if self._takes_sidecars:
            sidecar_moves.follow(source, target)

    def _delete(self, job: Job) -> None:
        known = self._sources.recognise(job) or job  # or its name is gone already, after a crash
        with suppress(ReplacedError):
            durable.remove_exactly(self._folders.inbox / job.src_rel, known.identity)
        failpoints.reach(Failpoint.MOVED)
        profile_moves.remove(self._folders.inbox / job.src_rel)

    def _write_error_record(self, job: Job) -> None:
        if job.disposal_rel is None:  # the source was gone before it could be moved
            return
        source = self._folders.failed / job.disposal_rel
        mode = _mode_of(source, self._folders.inbox / job.src_rel)
        # The source beside it is this job's, so an older record here belongs to no file.
        record = source.with_name(source.name + ERROR_RECORD)
        durable.write_new(record, _error_record(job), mode=mode)
        failpoints.reach(Failpoint.RECORD_WRITTEN)


def _mode_of(*places: Path) -> int:
    """Return what others may do with a file that lies at one of the places; nothing if at none."""
    for place in places:
        with suppress(OSError):
            return stat.S_IMODE(place.lstat().st_mode)
    return 0o600


def _error_record(job: Job) -> bytes:
    record = {
        "job_id": job.id,
        "image": file_names.printable(job.src_rel),
        "reason": job.reason,
        "message": job.message,
        "attempts": job.attempts,
        "failed_at": job.finished_at,
    }
    return json.dumps(record, indent=2, ensure_ascii=False).encode() + b"\n"
