"""Ports: where a daemon hears from the outside and speaks to it; they outlive a lost ledger."""

from collections.abc import Callable
from dataclasses import dataclass

from zssr_daemon.daemon.control_socket import ControlSocket
from zssr_daemon.daemon.progress_board import Board
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.sd_notify import Notifier
from zssr_daemon.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All of them."""

    signals: Signals
    load_settings: Callable[[], Settings]  # anew, from where they came
    notifier: Notifier
    control: ControlSocket
    metrics: Metrics
    board: Board | None  # None where there is no terminal
