"""Ports: where a daemon hears from the outside and speaks to it; they outlive a lost ledger."""

from collections.abc import Callable
from dataclasses import dataclass

from zssr_daemon.control import ControlSocket
from zssr_daemon.desk import Board
from zssr_daemon.metrics import Metrics
from zssr_daemon.notify import Notifier
from zssr_daemon.settings import Settings
from zssr_daemon.signals import Signals


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All of them."""

    signals: Signals
    load_settings: Callable[[], Settings]  # anew, from where they came
    notifier: Notifier
    control: ControlSocket
    metrics: Metrics
    board: Board | None  # None where there is no terminal
