"""Expirer: removes the results of jobs that were admitted for a limited time only.

The ledger holds the moment, so a restart changes nothing. Only the very file that the job has
published is removed; removed files are recorded afterwards, so that a crash in between repeats
the removal.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zssr_daemon.folders.markers import Markers
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.protocol.attempt_files import companion_rel
from zssr_daemon.protocol.endings import COMPANIONS
from zssr_daemon.publish.sources import has_hash
from zssr_daemon.system import durable
from zssr_daemon.system.durable import ReplacedError
from zssr_daemon.system.file_names import leaving_beside

#: How often the ledger is asked for results whose time is over.
_LOOK_S = 10.0


class Expirer:
    """Removes outputs and their companions below one output folder."""

    def __init__(self, output: Path, ledger: Ledger, markers: Markers) -> None:
        self._output = output
        self._ledger = ledger
        self._markers = markers
        self._next_look_s = 0.0

    def step(self, now: float, at: float) -> Iterator[Job]:
        """Remove what is due, and yield each job with the result that it had.

        Args:
            now: seconds of the caller's monotonic clock.
            at: the same moment, in seconds since the epoch.

        Raises:
            OSError: a disk fails, or the folder is not mounted; what is left is tried again.
        """
        if now < self._next_look_s:
            return
        self._next_look_s = now + _LOOK_S
        for job in self._ledger.expired(at):
            self._markers.require(self._output)
            self._remove_result(job)
            self._ledger.result_removed(job.id)
            yield job

    def _remove_result(self, job: Job) -> None:
        if job.out_rel is None or job.out_sha256 is None:
            return
        output = self._output / job.out_rel
        if has_hash(output, job.out_sha256):
            for kind in COMPANIONS:  # first: they are known by the output's name
                (self._output / companion_rel(job.out_rel, kind)).unlink(missing_ok=True)
            _remove(output)
        leaving = output.with_name(leaving_beside(output.name))
        if has_hash(leaving, job.out_sha256):  # a crash came amid its removal
            leaving.unlink()
        self._remove_empty(output.parent)

    def _remove_empty(self, folder: Path) -> None:
        """Remove the folder of a result if nothing is left, and comes, in it."""
        rel = os.path.relpath(folder, self._output)
        is_wanted = any(os.path.dirname(job.src_rel) == rel for job in self._ledger.blocking())  # noqa: PTH120
        if folder != self._output and not is_wanted:
            with suppress(OSError):  # it is not empty
                folder.rmdir()
                durable.fsync_folder(folder.parent)


def _remove(path: Path) -> None:
    identity = durable.identity_of(path)
    if identity is not None:
        with suppress(ReplacedError):
            durable.remove_exactly(path, identity)
