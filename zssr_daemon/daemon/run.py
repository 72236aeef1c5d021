"""Run: puts a supervisor together with its ledger, workers, logs and terminal, and runs it."""

from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from rich.console import Console

from zssr_daemon import __version__
from zssr_daemon.daemon.context import Context
from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.kernel_check import configured_kernel
from zssr_daemon.daemon.progress_board import ProgressBoard
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.daemon.start_check import configured_start, start_warnings
from zssr_daemon.daemon.supervisor import Supervisor
from zssr_daemon.errors import LedgerLostError
from zssr_daemon.executor.interface import Executor
from zssr_daemon.executor.joint import JointExecutor
from zssr_daemon.executor.local import LocalExecutor
from zssr_daemon.executor.placement import Placement, memory_mark_bytes, placements
from zssr_daemon.executor.remote import ClusterExecutor
from zssr_daemon.executor.slots import SlotExecutor, SlotLimits
from zssr_daemon.folders.check import check_folders
from zssr_daemon.folders.inbox_lock import InboxLock
from zssr_daemon.inbox.watch import why_scan
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.ledger.lock import LedgerLock
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.protocol.web_token import ensure_token
from zssr_daemon.settings.load import load_settings, unknown_environment_names
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.mounts import mount_of
from zssr_daemon.system.sd_notify import Notifier
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events, LogSettings
from zssr_daemon.telemetry.metrics import Metrics
from zssr_daemon.telemetry.terminal_stream import TerminalStream, is_in_foreground

#: Wait this long for the lock: a command that holds it for a moment must not stop a start.
_LOCK_PATIENCE_S = 2.0


def run_daemon(settings: Settings, settings_file: Path, *, is_once: bool, console: Console) -> bool:
    """Run until a signal ends it, or with `is_once` until the inbox is drained.

    Returns whether every job came out well.

    Raises:
        SettingsError: a folder, the kernel, the start, the ledger or the token of a cluster cannot
            be used.
        LedgerLockedError: another daemon works on the same state folder.
        InboxLockedError: another daemon works on the same inbox, or on one above or below it.
    """
    check_folders(settings, settings_file)
    settings.cluster.check_token()
    kernel = configured_kernel(settings)
    warnings = [*settings.warnings, *start_warnings(settings, configured_start(settings))]
    terminal = console if console.is_terminal else None
    log_settings = LogSettings(level=settings.logging.level, file=settings.logging.file)
    logs.configure(log_settings, terminal)
    with ExitStack() as stack:
        lock = LedgerLock(settings.folders.state, patience_s=_LOCK_PATIENCE_S)
        stack.callback(lock.release)
        inbox_lock = InboxLock(settings.folders.inbox)
        stack.callback(inbox_lock.release)
        inbox_lock.take(patience_s=_LOCK_PATIENCE_S)
        warnings += ensure_token(settings.folders.state)
        context = _open_context(stack, settings, settings_file, kernel, terminal)
        context = replace(context, inbox_lock=inbox_lock)
        places = placements(settings.worker) if settings.cluster.local_slots else []
        daemon = _Daemon(settings, log_settings, places, context)
        _log_start(daemon, settings_file, warnings)
        while True:
            try:
                is_good = daemon.supervise(is_once=is_once)
            except LedgerLostError as error:
                logs.get_logger().error(Events.LEDGER_LOST, message=str(error))
                continue
            logs.get_logger().info(Events.DAEMON_STOPPED)
            return is_good


def _open_context(
    stack: ExitStack,
    settings: Settings,
    settings_file: Path,
    kernel: KernelFile | None,
    terminal: Console | None,
) -> Context:
    """Open the ways to the outside; `stack` closes them."""
    signals = Signals()
    stack.callback(signals.close)
    signals.handle(is_terminal=terminal is not None)
    control = ControlSocket(settings.folders.state)
    stack.callback(control.close)
    board = None
    if terminal:
        stream = TerminalStream(terminal.file)
        if is_in_foreground(terminal.file):
            stream.on_gone = signals.hang_up
        terminal.file = cast(IO[str], stream)
        board = stack.enter_context(ProgressBoard(terminal))
    return Context(
        signals=signals,
        load_settings=lambda: load_settings(settings_file),
        notifier=Notifier.from_environment(),
        control=control,
        metrics=Metrics(settings.metrics.textfile, settings.folders.by_name()),
        board=board,
        kernel=kernel,
    )


@dataclass(frozen=True, slots=True)
class _Daemon:
    """What outlives a lost ledger."""

    settings: Settings
    log_settings: LogSettings
    places: list[Placement]
    context: Context

    def supervise(self, *, is_once: bool) -> bool:
        """Run one supervisor on the ledger as it is, and close both."""
        with closing(Ledger.open(self.settings.folders.state)) as ledger:
            if ledger.set_aside is not None:
                logs.get_logger().warning(
                    Events.LEDGER_SET_ASIDE,
                    file=str(ledger.set_aside),
                    message="the ledger was damaged; a new one is begun, only history is lost",
                )
            supervisor = Supervisor(self.settings, ledger, self._executor(), self.context)
            return supervisor.run(is_once=is_once)

    def _executor(self) -> Executor:
        """Start the workers: those of this machine, and those that a cluster will offer."""
        worker, cluster = self.settings.worker, self.settings.cluster
        limits = SlotLimits(
            silent_after_s=worker.silent_after_s,
            job_timeout_s=self.settings.limits.job_timeout_s,
            max_jobs=worker.max_jobs,
            max_memory_bytes=memory_mark_bytes(worker, max(1, len(self.places))),
        )
        parts: list[SlotExecutor] = []
        if cluster.local_slots:
            parts.append(LocalExecutor(self.places, self.log_settings, limits))
        if cluster.is_used:
            state = self.settings.folders.state
            parts.append(ClusterExecutor(state, limits, max_slots=cluster.max_slots))
        return JointExecutor(parts)


def _log_start(daemon: _Daemon, settings_file: Path, warnings: list[str]) -> None:
    log = logs.get_logger()
    settings = daemon.settings
    inbox = settings.folders.inbox
    why = why_scan(inbox, settings.watch)
    log.info(
        Events.DAEMON_STARTED,
        version=__version__,
        settings=str(settings_file),
        folders={name: str(path) for name, path in settings.folders.by_name().items()},
        filesystem=mount_of(inbox).kind,
        watch="events" if why is None else "scan",
        devices=[f"{place.device} ({place.threads} threads)" for place in daemon.places],
        **({} if why is None else {"message": why}),
        **({"cluster": settings.cluster.address} if settings.cluster.is_used else {}),
    )
    misspelt = [f"{name} is no setting; misspelt?" for name in unknown_environment_names()]
    for message in misspelt + warnings:
        log.warning(Events.SETTINGS_WARNING, message=message)
