"""Dispatcher: hands a claimed job to a worker, unless something forbids it."""

from zssr_daemon.daemon.job_lifecycle import JobLifecycle
from zssr_daemon.daemon.work_order import attempt_of, work_order
from zssr_daemon.errors import ImageSettingsError, Reason
from zssr_daemon.executor.interface import Executor
from zssr_daemon.folders.obstacle import find_shortage
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.publish.publisher import Publisher
from zssr_daemon.publish.sources import Sources
from zssr_daemon.settings.image_settings import Resolved, Resolver
from zssr_daemon.settings.schema import Settings

#: A job whose output has no room on the disk lets other jobs pass, and is tried again after this.
_SPACE_RETRY_S = 20.0


class Dispatcher:
    """Starts attempts, each with the settings of its image as they are at that moment."""

    def __init__(
        self,
        *,
        settings: Settings,
        executor: Executor,
        sources: Sources,
        publisher: Publisher,
        jobs: JobLifecycle,
        resolver: Resolver,
        job_settings: JobSettings,
    ) -> None:
        self._settings = settings
        self._executor = executor
        self._sources = sources
        self._publisher = publisher
        self._jobs = jobs
        self._resolver = resolver
        self._job_settings = job_settings

    def start(self, job: Job) -> None:
        """Start an attempt, unless the source, its settings or the free space forbid it.

        Raises:
            OSError: a disk fails, or a folder is not mounted.
        """
        if not self._sources.exists(job):
            self._jobs.fail(job, Reason.SOURCE_GONE, "the file was taken away before its turn came")
            return
        try:
            own = self._resolver.resolve(job.src_rel)
            sized = own.for_size(job.width or 1, job.height or 1)
        except ImageSettingsError as error:
            self._jobs.fail(job, error.reason, str(error))
            return
        job = self._job_settings.use(job, own.settings)
        self._jobs.take(job, sized)
        shortage = find_shortage(self._settings, self._out_pixels(job, sized))
        if shortage is not None:  # smaller ones behind it may have room
            self._jobs.put_back(job, shortage.reason, wait_s=_SPACE_RETRY_S)
            return
        self._submit(job, sized)

    def _out_pixels(self, job: Job, own: Resolved) -> int:
        """Return the pixels of the output, at most the limit: the worker refuses larger ones."""
        width, height = own.settings.zssr.output_size(job.width or 1, job.height or 1)
        return min(width * height, self._settings.limits.max_output_pixels)

    def _submit(self, job: Job, own: Resolved) -> None:
        part = self._publisher.part_path(job)
        attempt = attempt_of(job, own.settings, self._settings.folders, part)
        place = self._executor.submit(work_order(attempt, own, self._settings.limits))
        if place is None:
            self._jobs.put_back(job, Reason.WORKER_GONE)
            return
        self._jobs.started(job.id, place)
