"""Imagined files, and jobs of them, for tests of the ledger."""

from zssr_daemon.ledger.job import Job
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.system.file_identity import FileIdentity


def file_id(number: int = 1, **changes: int) -> FileIdentity:
    """Return the identity of an imagined file."""
    values = {"dev": 1, "ino": number, "size": 10, "mtime_ns": 20} | changes
    return FileIdentity(**values)


def add(ledger: Ledger, number: int = 1, now: float = 0.0) -> Job:
    """Queue an imagined file."""
    return ledger.add(f"{number}.png", file_id(number), now=now)
