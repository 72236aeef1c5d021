"""Intake: turns files of the inbox into queued jobs; the checks on that way are called the gate.

A file is queued once it has not changed for a while and a probe process has decoded it in full.
A file that is still being written is never given up.
"""

import errno
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from zssr_daemon.errors import UNFINISHED_REASONS, ImageError, ImageSettingsError, JobError, Reason
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.inbox.admitter import Admitter
from zssr_daemon.inbox.gate_outcome import (
    Delayed,
    Duplicate,
    GateOutcome,
    Ignored,
    LinkIgnored,
    Queued,
    Refused,
)
from zssr_daemon.inbox.known_files import KnownFiles
from zssr_daemon.inbox.probe import ProbeRequest, ProbeResult
from zssr_daemon.inbox.prober import Prober
from zssr_daemon.inbox.scan import Candidate, InboxScan
from zssr_daemon.inbox.settle import SettleTracker
from zssr_daemon.inbox.share_faults import ShareFaultError, ShareFaults
from zssr_daemon.inbox.watch import InboxWatch
from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.job_settings import JobSettings
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.image_settings import Resolved, Resolver
from zssr_daemon.settings.rules import image_limits, output_fault
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.disk_faults import is_disk_fault
from zssr_daemon.system.file_identity import FileIdentity

#: A hint brings the next scan forward, but scans take at most a tenth of the time.
_SCAN_GAP_S = 0.1
_SCAN_SHARE = 10

#: A file that may still change is looked at again after this, or after `stable_after_s` if longer.
_MIN_WAIT_S = 1.0


class Intake:
    """Watches one inbox. Times are seconds of the caller's monotonic clock."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        resolver: Resolver,
        job_settings: JobSettings,
        on_hint: Callable[[], None],
        *,
        is_disk_well: Callable[[], bool] = lambda: True,
    ) -> None:
        """`on_hint` is called, in another thread, when the kernel reports a change.

        `is_disk_well` is asked when a file cannot be read.
        """
        self._settings = settings
        self._inbox = settings.folders.inbox
        self._ledger = ledger
        self._resolver = resolver
        self._job_settings = job_settings
        watch = settings.watch
        self._scan = InboxScan(self._inbox, is_recursive=watch.recursive, ignore=watch.ignore)
        self._tracker = SettleTracker(watch.stable_after_s)
        self.admitter = Admitter(self._scan, self._tracker, ledger)
        self._prober = Prober(image_limits(settings.limits, settings.output))
        self._share_faults = ShareFaults(is_disk_well)
        self._probing: dict[str, Resolved] = {}  # files at the probe, with their settings
        self._kept: set[FileIdentity] = set()  # done, and left in the inbox by `on_success`
        self._hinted = threading.Event()
        self._on_hint = on_hint
        self.watch = InboxWatch(self._inbox, watch, self._hint)
        self._next_scan = self._scan_allowed = 0.0
        self.scans = 0  # completed so far
        self.last_scan_s = time.monotonic()  # before the first scan, the start
        self.last_scan_at: float | None = None  # the same, since the epoch
        self.scan_took_s = 0.0

    def step(self, now: float) -> Iterator[GateOutcome]:
        """Do what is due, and yield each outcome as soon as it is recorded.

        Raises:
            OSError: the inbox cannot be read.
        """
        if self.watch.ensure_alive():
            self._hinted.set()  # nobody reported what happened before the watch began
        if now >= self._next_scan or (self._hinted.is_set() and now >= self._scan_allowed):
            self._scan_inbox(now)
        for rel in self._tracker.due(now):
            yield from self._look_again(rel, now)
        while self._scan.ignored:
            yield Ignored(self._scan.ignored.pop(0))
        while self._scan.new_links:
            yield LinkIgnored(self._scan.new_links.pop(0))
        for result in self._prober.poll():
            yield from self._judge(result, now)

    def next_due(self) -> float:
        """Return when `step` has something to do, unless a message comes first."""
        scan = self._scan_allowed if self._hinted.is_set() else self._next_scan
        settled = self._tracker.next_due()
        return scan if settled is None else min(scan, settled)

    def connections(self) -> "list[Connection[Any, Any]]":
        """Return what to wait on."""
        return self._prober.connections()

    @property
    def is_settled(self) -> bool:
        """Whether no file is on its way to the queue; empty files do not count."""
        return self._tracker.waiting == 0 and self._prober.is_idle

    @property
    def probe_fault(self) -> str | None:
        """Why no probe can start, or None; the files wait, and none is to blame."""
        return self._prober.fault

    @property
    def settling(self) -> int:
        """How many files are on their way to the queue."""
        return len(self._tracker)

    def settling_images(self, limit: int) -> list[str]:
        """Return up to `limit` files that are on their way to the queue."""
        return self._tracker.names(limit)

    @property
    def passed_over(self) -> int:
        """How many files of the inbox are no images."""
        return self._scan.passed_over

    @property
    def links(self) -> int:
        """How many symbolic links the last scan passed over."""
        return len(self._scan.links)

    def forget_kept(self) -> None:
        """Scan at the next step, and consider also files that were done before and kept."""
        self._kept.clear()
        self.scan_soon()

    def scan_soon(self) -> None:
        """Scan the whole inbox at the next step."""
        self._next_scan = 0.0

    def stop(self) -> None:
        """End the watch and the probe."""
        self.watch.stop()
        self._prober.stop()

    def _hint(self) -> None:
        self._hinted.set()
        self._on_hint()

    def _scan_inbox(self, now: float) -> None:
        self._hinted.clear()  # before the scan: a change during it calls for the next one
        started_s = time.monotonic()
        self._next_scan = now + self._settings.watch.scan_interval_s
        known = KnownFiles(self._ledger, self._scan)
        for candidate in self._scan:
            if known.covers(candidate):
                continue
            if candidate.rel not in self._tracker and not self._is_kept(candidate.identity):
                self._tracker.observe(candidate, now)
        self.last_scan_s, self.last_scan_at = time.monotonic(), time.time()
        self.scan_took_s = took_s = self.last_scan_s - started_s
        self._scan_allowed = now + took_s + max(_SCAN_GAP_S, _SCAN_SHARE * took_s)
        self.scans += 1

    def _is_kept(self, identity: FileIdentity) -> bool:
        if identity not in self._kept and self._ledger.is_kept(identity):
            self._kept.add(identity)
        return identity in self._kept

    def _look_again(self, rel: str, now: float) -> list[GateOutcome]:
        if rel in self._probing:
            self._tracker.defer(rel, now + self._settings.watch.scan_interval_s)
            return []
        candidate = self._scan.look(rel)
        if candidate is None:
            self._tracker.drop(rel)
        elif self._tracker.observe(candidate, now):
            return self._probe(candidate, now)
        return []

    def _probe(self, candidate: Candidate, now: float) -> list[GateOutcome]:
        """Find the settings for a file that lies still, and have the probe decode it."""
        try:
            own = self._resolver.resolve(candidate.rel)
        except ImageSettingsError as error:
            return self._wait_or_refuse(candidate, error, now)
        except OSError as error:
            fault = ShareFaultError(str(error), error.errno)
            return self._wait_or_refuse(candidate, fault, now)
        self._probing[candidate.rel] = own
        each_frame = own.settings.output.frames == "each"
        self._prober.submit(
            ProbeRequest(root=str(self._inbox), rel_path=candidate.rel, each_frame=each_frame)
        )
        return []

    def _judge(self, result: ProbeResult, now: float) -> list[GateOutcome]:
        rel = result.request.rel_path
        own = self._probing.pop(rel)
        candidate = self._scan.look(rel)
        if candidate is None or result.oserror_errno == errno.ENOENT:
            self._tracker.drop(rel)
            return []
        fault = self._fault(result, candidate.identity, own)
        if fault is None and not self._may_be_unfinished(result, candidate, now):
            return self._queue(result, candidate, own)
        cut = ImageError("the file is cut, and may still be written", reason=Reason.TRUNCATED)
        return self._wait_or_refuse(candidate, fault or cut, now)

    def _wait_or_refuse(
        self, candidate: Candidate, fault: JobError, now: float
    ) -> list[GateOutcome]:
        wait_s = max(_MIN_WAIT_S, self._settings.watch.stable_after_s)
        if isinstance(fault, ShareFaultError):
            return self._wait_for_disk(candidate, fault, now, wait_s)
        if self._may_still_change(fault.reason, candidate, now):
            self._defer(candidate, now, wait_s)
            return []
        return self._refuse(candidate, fault)

    def _wait_for_disk(
        self, candidate: Candidate, fault: ShareFaultError, now: float, first_s: float
    ) -> list[GateOutcome]:
        wait = self._share_faults.wait(candidate, fault, first_s)
        if wait is None:
            message = f"{fault}; folders and disk are well, but this file cannot be read"
            return self._refuse(candidate, ImageError(message, reason=Reason.UNREADABLE))
        self._defer(candidate, now, wait.seconds)
        return [Delayed(candidate.rel, str(fault), wait.seconds)] if wait.is_news else []

    def _defer(self, candidate: Candidate, now: float, wait_s: float) -> None:
        self._tracker.observe(candidate, now)  # a changed file settles again from the start
        self._tracker.defer(candidate.rel, now + wait_s)

    def _fault(self, result: ProbeResult, identity: FileIdentity, own: Resolved) -> JobError | None:
        """Return why a file must not be queued now, or None."""
        if result.oserror_errno is not None:
            if is_disk_fault(result.oserror_errno):
                return ShareFaultError(str(result.message), result.oserror_errno)
            return ImageError(str(result.message), reason=Reason.UNREADABLE)
        if result.reason is not None:
            return ImageError(str(result.message), reason=result.reason)
        if result.identity != identity:
            return ImageError("the file changed while it was read", reason=Reason.SOURCE_CHANGED)
        assert result.info is not None
        return output_fault(result.info, own, self._settings.limits)

    def _may_be_unfinished(self, result: ProbeResult, candidate: Candidate, now: float) -> bool:
        """Tell whether a cut file that would be accepted may only be one that is still written."""
        is_cut = result.info is not None and result.info.is_cut
        return is_cut and self._may_still_change(Reason.TRUNCATED, candidate, now)

    def _may_still_change(self, reason: Reason, candidate: Candidate, now: float) -> bool:
        if reason is Reason.SOURCE_CHANGED:
            return True
        if reason not in UNFINISHED_REASONS:
            return False
        quiet_s = self._tracker.unchanged_for_s(candidate, now)
        return quiet_s < self._settings.watch.unreadable_after_s

    def _queue(self, result: ProbeResult, candidate: Candidate, own: Resolved) -> list[GateOutcome]:
        assert result.info is not None and result.sha256 is not None
        info = result.info
        if self._was_kept(candidate, result.sha256):
            return [Duplicate(candidate.rel)]
        job = self._add(
            candidate,
            sha256=result.sha256,
            width=info.width,
            height=info.height,
            settings_hash=self._job_settings.keep(own.settings),
        )
        return [Duplicate(candidate.rel) if job is None else Queued(job, info)]

    def _was_kept(self, candidate: Candidate, sha256: str | None) -> bool:
        """Tell whether a job ended with this file before its share was mounted again."""
        kept = self._ledger.kept(candidate.rel, candidate.identity, sha256)
        if kept is not None:
            self._ledger.adopt(kept.id, candidate.identity)
            self._tracker.drop(candidate.rel)
        return kept is not None

    def _refuse(self, candidate: Candidate, fault: JobError) -> list[GateOutcome]:
        job = None if self._was_kept(candidate, None) else self._add(candidate)
        if job is None:
            return [Duplicate(candidate.rel)]
        return [Refused(job, fault.reason, str(fault))]

    def _add(self, candidate: Candidate, **known: Any) -> Job | None:
        """Queue a file; `known` are further arguments of `Ledger.add`."""
        self._tracker.drop(candidate.rel)
        self._share_faults.forget(candidate.rel)
        identity = candidate.identity
        if self._ledger.is_blocking(identity):
            return None  # another name of a file that is queued already
        reach(Failpoint.PROBED)
        return self._ledger.add(candidate.rel, identity, now=time.time(), **known)
