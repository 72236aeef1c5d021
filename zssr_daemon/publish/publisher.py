"""Publisher: how an output becomes durable and its source leaves the inbox.

The order is the guarantee. Each step is durable before the next begins, each step can be
repeated, and the source is only moved once its output is on the disk under its final name:

    part written, verified, fsynced (worker) -> name committed -> link, fsync -> done -> disposal

A file of several frames has a part for each. All are durable before the name of the last one is
committed; then those of the others are linked, and the last one takes the way above. Parts that
are still there after a crash are the ones still to be linked.
"""

import json
import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from zssr_daemon import failpoints
from zssr_daemon.errors import SourceChangedError
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Disposal, Job, JobState
from zssr_daemon.ledger.job_settings import settings_of
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.attempt_files import companion_rel, companions_of, is_part, part_rel
from zssr_daemon.publish import profile_moves
from zssr_daemon.publish.output_names import output_rel
from zssr_daemon.settings.image_settings import ImageSettings
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system import durable, file_names
from zssr_daemon.system.durable import ReplacedError
from zssr_daemon.system.file_identity import FileIdentity

ERROR_SUFFIX = ".error.json"


class Publisher:
    """Moves files between the folders, always in step with the ledger."""

    def __init__(self, settings: Settings, ledger: Ledger, markers: Markers) -> None:
        self._settings = settings
        self._folders = settings.folders
        self._ledger = ledger
        self._markers = markers

    def part_path(self, job: Job) -> Path:
        """Return where an attempt of `job` writes, with its folder made."""
        path = self._part(job)
        durable.make_folder(path.parent, below=self._folders.output)
        return path

    def source_exists(self, job: Job) -> bool:
        """Tell whether there is still a file under the source's name.

        Raises:
            OSError: it cannot be told, because the inbox is not mounted.
        """
        return self._identity_of_source(job) is not None

    def recognise(self, job: Job) -> Job | None:
        """Return the job if its source is still the file that was queued; None if it is not.

        Content decides: a file that was only touched, or whose device or inode has another number
        since its share was mounted again, is known by its new identity from then on.

        Raises:
            OSError: it cannot be told, because the inbox is not mounted.
        """
        identity = self._identity_of_source(job)
        if identity == job.identity:
            return job
        if identity is None or identity.size != job.identity.size or job.sha256 is None:
            return None
        source = self._folders.inbox / job.src_rel
        is_same = not source.is_symlink() and _has_hash(source, job.sha256)
        if not is_same or durable.identity_of(source) != identity:
            return None
        try:
            return self._ledger.adopt(job.id, identity)
        except sqlite3.IntegrityError:  # its number belongs to another job's file
            return None

    def publish(self, job: Job, *, out_sha256: str, suffix: str = ".png", frames: int = 1) -> Job:
        """Give the verified part its final name and record the job as done.

        Args:
            job: its ledger row.
            out_sha256: of the part, as it was verified.
            suffix: of the output's format.
            frames: outputs of this job, one each; the others' parts lie beside this one.

        Raises:
            SourceChangedError: the source was replaced while the job ran; nothing is published.
            OSError: a disk fails, or a folder is not mounted.
        """
        self._markers.require(self._folders.output)  # or the worker wrote below the mount point
        part = self._part(job)
        known = self.recognise(job)
        if known is None:
            raise SourceChangedError("the source changed while its job ran")
        durable.fsync_file(part)
        failpoints.reach(Failpoint.PART_SYNCED)
        rels = self._out_rels(known, suffix, frames if frames > 1 else None)
        if frames > 1:
            for other in self._frame_parts(known):
                durable.fsync_file(other)
            durable.fsync_folder(part.parent)
            known = self._ledger.publishing(known.id, out_rel=rels[0], out_sha256=out_sha256)
            self._link_frames(known, may_be_reserved=False)
        return self._link(known, part, out_sha256, rels)

    def dispose(self, job: Job) -> Job:
        """Move an ended job's source out of the inbox (or leave it, as `on_success` says).

        Its own profiles follow it. Repeated after a crash, it goes on where it stopped. Returns
        the job with its disposal, which `close` then records.
        """
        if job.state is JobState.FAILED:
            job = self._move(job, self._folders.failed)
            self._let_follow(job, self._folders.failed)
            self._write_error_record(job)
            return replace(job, disposal=Disposal.FAILED)
        on_success = Disposal(self._own(job).output.on_success)
        if on_success is Disposal.ARCHIVE:
            job = self._move(job, self._folders.archive)
            self._let_follow(job, self._folders.archive)
        elif on_success is Disposal.DELETE:
            self._delete(job)
        return replace(job, disposal=on_success)

    def close(self, job: Job) -> Job:
        """Record that nothing is left to do for a job that was disposed of."""
        assert job.disposal is not None
        closed = self._ledger.disposed(job.id, job.disposal)
        failpoints.reach(Failpoint.DISPOSED)
        return closed

    def discard_part(self, job: Job) -> None:
        """Remove what an interrupted attempt of `job` has written."""
        with suppress(OSError):  # what cannot be removed now, is at the next start
            part = self._part(job)
            for each in [part, *self._frame_parts(job)]:
                for path in [each, *companions_of(each)]:
                    path.unlink(missing_ok=True)

    def finish(self, job: Job) -> Job:
        """Bring a job to its end that was interrupted between its output's name and `done`.

        Where neither name nor part holds the output, the job is queued again. Returns the job
        as it is then.
        """
        assert job.out_rel is not None and job.out_sha256 is not None
        self._markers.require(self._folders.output)
        final = self._folders.output / job.out_rel
        part = self._part(job)
        self._link_frames(job, may_be_reserved=True)
        if _has_hash(final, job.out_sha256):
            durable.fsync_folder(final.parent)
            self._publish_companions(job, part, job.out_rel)
            self.discard_part(job)
            return self._done(job)
        if _has_hash(part, job.out_sha256):
            rels = [file_names.tagged(job.out_rel, tag) for tag in _tags(job)]
            return self._link(job, part, job.out_sha256, rels)
        return self._ledger.requeue(job.id)

    def remove_stale_parts(self) -> None:
        """Remove what attempts of an earlier process left; called while none is running."""
        for path in durable.files_below(self._folders.output):
            if is_part(path.name):
                path.unlink(missing_ok=True)

    def _part(self, job: Job) -> Path:
        out_rel = self._out_rels(job, "", None)[0]
        return self._folders.output / part_rel(out_rel, job.id, job.attempts)

    def _out_rels(self, job: Job, suffix: str, page: int | None) -> list[str]:
        """Name the output, the wanted name first; `page` counts the frames of several from 1."""
        own = self._own(job)
        pattern, scale = own.output.name, own.zssr.total_scale
        if page is not None:
            pattern = pattern.replace("{stem}", f"{{stem}}_p{page:03d}")
        return [
            output_rel(job.src_rel, pattern, scale=scale, suffix=suffix, tag=tag)
            for tag in _tags(job)
        ]

    def _own(self, job: Job) -> ImageSettings:
        return settings_of(job, self._ledger, self._settings)

    def _frame_parts(self, job: Job) -> list[Path]:
        """Find the parts of the frames before the last, in their order."""
        part = self._part(job)
        found = part.parent.glob(f"{part.name.removesuffix('.part')}.*.part")
        return sorted(found, key=_frame_of)

    def _link_frames(self, job: Job, *, may_be_reserved: bool) -> None:
        """Give the frame parts that are still there their names."""
        suffix = os.path.splitext(job.out_rel or "")[1]  # noqa: PTH122 (any bytes are legal)
        for part in self._frame_parts(job):
            rels = self._out_rels(job, suffix, _frame_of(part) + 1)
            self._publish_companions(job, part, rels[0])
            self._link_first_free(job, part, rels, may_be_reserved=may_be_reserved)

    def _link(self, job: Job, part: Path, out_sha256: str, rels: list[str]) -> Job:
        planned = [] if job.state is not JobState.PUBLISHING else [job.out_rel or ""]
        for out_rel in planned + rels:
            may_be_reserved = out_rel in planned
            job = self._ledger.publishing(job.id, out_rel=out_rel, out_sha256=out_sha256)
            failpoints.reach(Failpoint.PUBLISHING)
            final = self._folders.output / out_rel
            try:
                durable.link_no_replace(part, final, may_be_reserved=may_be_reserved)
            except FileExistsError:
                continue
            failpoints.reach(Failpoint.NAMED)
            self._publish_companions(job, part, out_rel)
            return self._done(job)
        raise AssertionError(f"the name with the whole id of job {job.id} is taken")

    def _publish_companions(self, job: Job, part: Path, out_rel: str) -> None:
        """Give what tells of an output its names, as a whole or not at all, before the job is done.

        part: of the output, which may have its name already.
        """
        for companion in companions_of(part):
            durable.fsync_file(companion)
            rels = [companion_rel(out_rel, companion, tag) for tag in _tags(job)]
            self._link_first_free(job, companion, rels, may_be_reserved=True)

    def _link_first_free(
        self, job: Job, part: Path, rels: list[str], *, may_be_reserved: bool
    ) -> None:
        """Give `part` the first name that is free, or that it got before a crash."""
        finals = (self._folders.output / rel for rel in rels)
        if not any(_is_linked(part, final, may_be_reserved) for final in finals):
            raise AssertionError(f"the name with the whole id of job {job.id} is taken")

    def _write_error_record(self, job: Job) -> None:
        if job.disposal_rel is None:  # the source was gone before it could be moved
            return
        # The source's name beside it is this job's, so an older record here is of nothing.
        durable.write_new(
            self._folders.failed / (job.disposal_rel + ERROR_SUFFIX), _error_record(job)
        )
        failpoints.reach(Failpoint.RECORD_WRITTEN)

    def _done(self, job: Job) -> Job:
        done = self._ledger.done(job.id, now=time.time())
        failpoints.reach(Failpoint.DONE)
        return done

    def _delete(self, job: Job) -> None:
        known = self.recognise(job) or job  # or interrupted, its name already given up
        with suppress(ReplacedError):
            durable.remove_exactly(self._folders.inbox / job.src_rel, known.identity)
        failpoints.reach(Failpoint.MOVED)
        profile_moves.remove(self._folders.inbox / job.src_rel)

    def _let_follow(self, job: Job, folder: Path) -> None:
        """Let the source's own profiles follow it below `folder`.

        One that has to stay for another image is copied for a failed one, which may be tried again.
        """
        if job.disposal_rel is not None:  # else the source was gone before it could be moved
            profile_moves.follow(
                self._folders.inbox / job.src_rel,
                folder / job.disposal_rel,
                is_shared_out=job.state is JobState.FAILED,
            )

    def _move(self, job: Job, folder: Path) -> Job:
        """Move the source below `folder`, under a name committed to the ledger beforehand."""
        self._markers.require(folder)
        source = self._folders.inbox / job.src_rel
        for rel in self._free_rels(job):
            known = self.recognise(job)
            if known is None:  # moved already, or taken away or replaced by its owner
                with suppress(ReplacedError):  # or copied, and on its way out
                    durable.remove_exactly(source, job.identity)
                return job
            may_be_reserved = rel == known.disposal_rel
            job = self._ledger.plan_disposal(known.id, rel)
            failpoints.reach(Failpoint.DISPOSAL_PLANNED)
            durable.make_folder((folder / rel).parent, below=folder)
            try:
                durable.move_no_replace(
                    source, folder / rel, identity=job.identity, may_be_reserved=may_be_reserved
                )
            except FileExistsError:
                continue
            except ReplacedError:
                return job
            failpoints.reach(Failpoint.MOVED)
            return job
        raise AssertionError(f"the name with the whole id of job {job.id} is taken")

    def _identity_of_source(self, job: Job) -> FileIdentity | None:
        inbox = self._folders.inbox
        identity = durable.identity_of(inbox / job.src_rel)
        if identity is None:  # gone, or only out of sight?
            self._markers.require(inbox)
        return identity

    @staticmethod
    def _free_rels(job: Job) -> list[str]:
        planned = [] if job.disposal_rel is None else [job.disposal_rel]
        reserve_bytes = len(ERROR_SUFFIX)
        return planned + [
            file_names.tagged(job.src_rel, tag, reserve_bytes=reserve_bytes) for tag in _tags(job)
        ]


def _tags(job: Job) -> tuple[str, str, str]:
    """Return what tells a name from one that is taken: at first nothing, at last the whole id."""
    return "", f"-{job.id[:8]}", f"-{job.id}"


def _is_linked(part: Path, final: Path, may_be_reserved: bool) -> bool:
    """Give `part` the name `final`, unless another file has it; an equal one is its own."""
    if _has_hash(final, durable.sha256_of(part)):
        part.unlink()
        return True
    try:
        durable.link_no_replace(part, final, may_be_reserved=may_be_reserved)
    except FileExistsError:
        return False
    return True


def _frame_of(part: Path) -> int:
    return int(part.name.split(".")[-2])


def _has_hash(path: Path, sha256: str) -> bool:
    return path.is_file() and durable.sha256_of(path) == sha256


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
