"""Publisher: gives outputs their final names, durably.

The order is the guarantee. Each step is durable before the next begins, each step can be
repeated, and the source is only moved once its output is on the disk under its final name:

    part written, verified, fsynced (worker) -> name committed -> link, fsync -> done -> disposal

A file of several frames has a part for each. All are durable before the name of the last one is
committed; then the others are linked, and the last one takes the steps above. Parts that are still
there after a crash are those that still have to be linked.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from zssr_daemon import failpoints
from zssr_daemon.errors import SourceChangedError
from zssr_daemon.failpoints import Failpoint
from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Job, JobState
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.attempt_files import (
    companion_rel,
    companions_of,
    frame_of,
    frame_parts,
    is_part,
    job_of,
    part_rel,
)
from zssr_daemon.publish.legal_names import LegalNames
from zssr_daemon.publish.output_names import name_tags, output_rel, told_scale
from zssr_daemon.publish.sources import Sources, has_hash
from zssr_daemon.settings.schema import Folders
from zssr_daemon.system import durable, file_names

#: A part of a job that the ledger does not know is stale after this.
_FOREIGN_PART_S = 86400.0


class Publisher:
    """Turns parts into outputs, always in step with the ledger."""

    def __init__(
        self,
        folders: Folders,
        ledger: Ledger,
        markers: Markers,
        job_settings: JobSettings,
        sources: Sources,
    ) -> None:
        self._folders = folders
        self._ledger = ledger
        self._markers = markers
        self._job_settings = job_settings
        self._sources = sources
        self._names = LegalNames(folders.output)

    def part_path(self, job: Job) -> Path:
        """Return the path that an attempt of `job` writes to, and make its folder."""
        path = self._part(job)
        try:
            durable.make_folder(path.parent, below=self._folders.output)
        except OSError as error:
            if not self._names.learn(error):
                raise
            return self.part_path(job)
        return path

    def publish(self, job: Job, *, out_sha256: str, suffix: str = ".png", frames: int = 1) -> Job:
        """Give the verified part its final name and record the job as done.

        Args:
            job: its ledger row.
            out_sha256: hash of the verified part.
            suffix: the ending for the output's format.
            frames: how many frames, and so outputs, there are; each has a part beside this one.

        Raises:
            SourceChangedError: the source was replaced while the job ran; nothing is published.
            OSError: a disk fails, or a folder is not mounted.
        """
        self._markers.require(self._folders.output)  # or the worker wrote below the mount point
        part = self._part(job)
        known = self._sources.recognise(job)
        if known is None:
            raise SourceChangedError("the source changed while its job ran")
        durable.fsync_file(part)
        failpoints.reach(Failpoint.PART_SYNCED)
        rels = self._out_rels(known, suffix, frames if frames > 1 else None)
        if frames > 1:
            for other in frame_parts(self._part(known)):
                durable.fsync_file(other)
            durable.fsync_folder(part.parent)
            known = self._ledger.publishing(known.id, out_rel=rels[0], out_sha256=out_sha256)
            self._link_frames(known, may_be_reserved=False)
        return self._link(known, part, out_sha256, rels)

    def discard_part(self, job: Job) -> None:
        """Remove what an interrupted attempt of `job` has written."""
        with suppress(OSError):  # the next start removes what cannot be removed now
            part = self._part(job)
            for each in [part, *frame_parts(self._part(job))]:
                for path in [each, *companions_of(each)]:
                    path.unlink(missing_ok=True)

    def finish(self, job: Job) -> Job:
        """Finish a job that was interrupted after the name of its output was committed.

        If neither the name nor the part holds the output, the job is queued again. Returns the
        job as it is afterwards.
        """
        assert job.out_rel is not None and job.out_sha256 is not None
        self._markers.require(self._folders.output)
        final = self._folders.output / job.out_rel
        part = self._part(job)
        self._link_frames(job, may_be_reserved=True)
        if has_hash(final, job.out_sha256):
            durable.fsync_folder(final.parent)
            self._publish_companions(job, part, job.out_rel)
            self.discard_part(job)
            return self._done(job)
        if has_hash(part, job.out_sha256):
            rels = [file_names.tagged(job.out_rel, tag) for tag in name_tags(job)]
            return self._link(job, part, job.out_sha256, rels)
        return self._ledger.requeue(job.id)

    def remove_stale_parts(self) -> None:
        """Remove what attempts of an earlier process left; to be called while none is running.

        Another daemon may use the same output folder: parts of unknown jobs are only removed when
        nobody has written to them for long.
        """
        for path in durable.files_below(self._folders.output):
            if is_part(path.name) and (self._is_ours(path.name) or _is_old(path)):
                path.unlink(missing_ok=True)

    def _is_ours(self, part_name: str) -> bool:
        return bool(self._ledger.find(job_of(part_name)))

    def _part(self, job: Job) -> Path:
        return self._folders.output / part_rel(self._names.rel(job.src_rel), job.id, job.attempts)

    def _out_rels(self, job: Job, suffix: str, page: int | None) -> list[str]:
        """Return the names to try for an output, the wanted one first; frames are pages from 1."""
        own = self._job_settings.of(job)
        pattern, scale = own.output.name, told_scale(own.zssr, job.width, job.height)
        if page is not None:
            pattern = pattern.replace("{stem}", f"{{stem}}_p{page:03d}")
        rels = [
            output_rel(job.src_rel, pattern, scale=scale, suffix=suffix, tag=tag)
            for tag in name_tags(job)
        ]
        return [self._names.rel(rel) for rel in rels]

    def _link_frames(self, job: Job, *, may_be_reserved: bool) -> None:
        """Give the parts of frames that are still there their final names."""
        suffix = os.path.splitext(job.out_rel or "")[1]  # noqa: PTH122 (any bytes are legal)
        for part in frame_parts(self._part(job)):
            rels = self._out_rels(job, suffix, frame_of(part) + 1)
            self._publish_companions(job, part, rels[0])
            self._link_first_free(job, part, rels, may_be_reserved=may_be_reserved)

    def _link(self, job: Job, part: Path, out_sha256: str, rels: list[str]) -> Job:
        is_planned = job.state is JobState.PUBLISHING
        planned = [self._names.rel(job.out_rel or "")] if is_planned else []
        for out_rel in planned + rels:
            may_be_reserved = out_rel in planned
            job = self._ledger.publishing(job.id, out_rel=out_rel, out_sha256=out_sha256)
            failpoints.reach(Failpoint.PUBLISHING)
            final = self._folders.output / out_rel
            try:
                durable.link_no_replace(part, final, may_be_reserved=may_be_reserved)
            except FileExistsError:
                continue
            except OSError as error:
                if not self._names.learn(error):
                    raise
                return self._link(job, part, out_sha256, [self._names.rel(rel) for rel in rels])
            failpoints.reach(Failpoint.NAMED)
            self._publish_companions(job, part, out_rel)
            return self._done(job)
        raise AssertionError(f"the name with the whole id of job {job.id} is taken")

    def _publish_companions(self, job: Job, part: Path, out_rel: str) -> None:
        """Give the companions of an output their names, each as a whole, before the job is done.

        `part` is the part of the output; the output may have its final name already.
        """
        for companion in companions_of(part):
            durable.fsync_file(companion)
            rels = [companion_rel(out_rel, companion.suffix, tag) for tag in name_tags(job)]
            self._link_first_free(job, companion, rels, may_be_reserved=True)

    def _link_first_free(
        self, job: Job, part: Path, rels: list[str], *, may_be_reserved: bool
    ) -> None:
        """Give `part` the first name that is free, or that it was given before a crash."""
        finals = (self._folders.output / rel for rel in rels)
        try:
            is_linked = any(_is_linked(part, final, may_be_reserved) for final in finals)
        except OSError as error:
            if not self._names.learn(error):
                raise
            finals = (self._folders.output / self._names.rel(rel) for rel in rels)
            is_linked = any(_is_linked(part, final, may_be_reserved) for final in finals)
        if not is_linked:
            raise AssertionError(f"the name with the whole id of job {job.id} is taken")

    def _done(self, job: Job) -> Job:
        done = self._ledger.done(job.id, now=time.time())
        failpoints.reach(Failpoint.DONE)
        return done


def _is_old(path: Path) -> bool:
    with suppress(OSError):
        return time.time() - path.stat().st_mtime > _FOREIGN_PART_S
    return False


def _is_linked(part: Path, final: Path, may_be_reserved: bool) -> bool:
    """Link `part` to the name `final`; return False if a file with other content has that name."""
    if has_hash(final, durable.sha256_of(part)):
        part.unlink()
        return True
    try:
        durable.link_no_replace(part, final, may_be_reserved=may_be_reserved)
    except FileExistsError:
        return False
    return True
