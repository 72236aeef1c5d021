"""Admitter: lets a file to the gate at once, where the program that wrote it says that it is whole.

Only the wait until the file settles is left out; it passes the gate like any other.
"""

from zssr_daemon.errors import AdmissionRefusedError
from zssr_daemon.inbox.scan import InboxScan
from zssr_daemon.inbox.settle import SettleTracker
from zssr_daemon.ledger.admission import Admission
from zssr_daemon.ledger.ledger import Ledger


class Admitter:
    """Admits files of one inbox."""

    def __init__(self, scan: InboxScan, tracker: SettleTracker, ledger: Ledger) -> None:
        self._scan = scan
        self._tracker = tracker
        self._ledger = ledger

    def admit(self, rel: str, admission: Admission, now: float) -> None:
        """Have a file examined at the next step; its job gets what the admission asks for.

        Args:
            rel: its path below the inbox, in `os.fsdecode` form; a stranger may have made it up.
            admission: is kept in the ledger until the file has a job.
            now: seconds of the intake's clock.

        Raises:
            AdmissionRefusedError: a scan would find no such file, or it has a job already.
            OSError: the ledger takes no write.
        """
        candidate = self._scan.find(rel)
        if candidate is None or candidate.is_empty:
            raise AdmissionRefusedError("the inbox holds no such image")
        if self._ledger.is_blocking(candidate.identity):
            raise AdmissionRefusedError("it has a job already")
        self._ledger.admissions.keep(candidate.identity, admission)
        self._tracker.observe(candidate, now)
        self._tracker.defer(rel, now)
