"""The lock: one process writes a ledger."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zssr_daemon.errors import LedgerLockedError
from zssr_daemon.ledger.lock import LedgerLock, is_locked

_HOLD_LOCK = """
import sys
from pathlib import Path
from zssr_daemon.ledger.lock import LedgerLock
lock = LedgerLock(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_one_daemon_per_state_folder(tmp_path: Path) -> None:
    """A second process is refused while the first lives, however that one ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD_LOCK, os.fspath(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(LedgerLockedError, match="another zssr-daemon is running") as caught:
            LedgerLock(tmp_path)
        assert caught.value.exit_code == 75
        holder.kill()
        holder.wait()
    LedgerLock(tmp_path).release()
    LedgerLock(tmp_path).release()


def test_anyone_can_tell_whether_a_ledger_is_locked(tmp_path: Path) -> None:
    """Asking neither takes the lock nor makes its file."""
    assert not is_locked(tmp_path)
    assert list(tmp_path.iterdir()) == []
    lock = LedgerLock(tmp_path)
    assert is_locked(tmp_path)
    lock.release()
    assert not is_locked(tmp_path)
    LedgerLock(tmp_path).release()
