"""Health: whether a daemon is alive in all its parts, and not merely a process that breathes."""

from zssr_daemon.daemon.overview import Overview
from zssr_daemon.daemon.pause import Pause
from zssr_daemon.inbox.intake import Intake
from zssr_daemon.ledger.ledger import Ledger

#: A write to the ledger is tried this often, and must have succeeded within the second.
_PROVE_S = 30.0
_PROVEN_S = 60.0

#: The inbox must have been looked at within so many intervals, or at least within this time.
_SCAN_INTERVALS = 3
_SCAN_S = 30.0


class Health:
    """Watches one supervisor's parts. Times are seconds of the caller's monotonic clock."""

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        pause: Pause,
        overview: Overview,
        *,
        scan_interval_s: float,
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._pause = pause
        self._overview = overview
        self._scan_limit_s = max(_SCAN_INTERVALS * scan_interval_s, _SCAN_S)
        self._proven_s: float | None = None
        self._next_proof_s = 0.0

    def step(self, now: float) -> None:
        """Try a write to the ledger when it is due.

        Raises:
            OSError: it failed.
            LedgerLostError: the ledger is gone.
        """
        if now >= self._next_proof_s:
            self._next_proof_s = now + _PROVE_S
            self._ledger.prove()
            self._proven_s = now

    @property
    def has_begun(self) -> bool:
        """Whether the start is over: the inbox was looked at and a worker answered, or a pause."""
        if self._pause:
            return True
        return self._intake.scans > 0 and any(w.is_ready for w in self._overview.workers())

    def faults(self, now: float) -> tuple[str, ...]:
        """Say what is not alive; a declared pause excuses what it explains."""
        reason = self._pause.reason
        faults = []
        if reason != "folder_missing":
            if not self._intake.is_watch_well:
                faults.append("the watch on the inbox is dead")
            silent_s = now - self._intake.last_scan_s
            if silent_s > self._scan_limit_s:
                faults.append(f"the inbox was not looked at for {silent_s:.0f} s")
        is_disk_excused = reason in {"disk_full", "folder_missing"}
        if not is_disk_excused and self._proven_s is not None and now - self._proven_s > _PROVEN_S:
            faults.append(f"the ledger took no write for {now - self._proven_s:.0f} s")
        if reason != "device_lost" and not any(w.is_well for w in self._overview.workers()):
            faults.append("no worker gives a sign of life")
        return tuple(faults)
