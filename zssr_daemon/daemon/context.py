"""Context: the ways between a daemon and the outside; it outlives a lost ledger."""

from collections.abc import Callable
from dataclasses import dataclass

from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.progress_board import Board
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.folders.inbox_lock import InboxLock
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.sd_notify import Notifier
from zssr_daemon.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What one daemon process hears from, and reports to."""

    signals: Signals
    load_settings: Callable[[], Settings]  # reads them again, from the same file
    notifier: Notifier
    control: ControlSocket
    metrics: Metrics
    board: Board | None  # None where there is no terminal
    inbox_lock: InboxLock | None = None  # None in tests of the supervisor alone
    kernel: KernelFile | None = None  # the file that `[degradation] kernel` names
