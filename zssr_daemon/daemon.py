"""Daemon: a supervisor with its ledger, workers, logs and terminal, put together."""

from contextlib import ExitStack, closing
from pathlib import Path

from rich.console import Console

from zssr_daemon import __version__, logs
from zssr_daemon.console import ProgressBoard
from zssr_daemon.errors import LedgerLostError
from zssr_daemon.executor import LocalExecutor
from zssr_daemon.kernel_check import configured_kernel
from zssr_daemon.ledger import Ledger
from zssr_daemon.ledger_file import LedgerLock
from zssr_daemon.logs import Events, LogSettings
from zssr_daemon.messages import KernelFile
from zssr_daemon.mounts import mount_of
from zssr_daemon.placement import Placement, memory_mark_bytes, placements
from zssr_daemon.settings import Settings, check_folders, unknown_environment_names
from zssr_daemon.supervisor import Supervisor
from zssr_daemon.watcher import is_told_of_changes


def run_daemon(settings: Settings, settings_file: Path, *, is_once: bool, console: Console) -> bool:
    """Run until a signal ends it, or with `is_once` until the inbox is drained.

    Returns whether every job came out well.

    Raises:
        SettingsError: a folder, the kernel or the ledger cannot be used.
        LedgerLockedError: another daemon works on the same state folder.
    """
    check_folders(settings, settings_file)
    kernel = configured_kernel(settings)
    terminal = console if console.is_terminal else None
    log_settings = LogSettings(level=settings.logging.level, file=settings.logging.file)
    logs.configure(log_settings, terminal)
    with ExitStack() as stack:
        lock = LedgerLock(settings.folders.state)
        stack.callback(lock.release)
        board = stack.enter_context(ProgressBoard(terminal)) if terminal else None
        places = placements(settings.worker)
        _tell_start(settings, settings_file, places)
        while True:
            try:
                is_good = _supervise(
                    settings, log_settings, places, board, kernel=kernel, is_once=is_once
                )
            except LedgerLostError as error:
                logs.get_logger().error(Events.LEDGER_LOST, message=str(error))
                continue
            logs.get_logger().info(Events.DAEMON_STOPPED)
            return is_good


def _tell_start(settings: Settings, settings_file: Path, places: list[Placement]) -> None:
    log = logs.get_logger()
    inbox = settings.folders.inbox
    log.info(
        Events.DAEMON_STARTED,
        version=__version__,
        settings=str(settings_file),
        folders={name: str(path) for name, path in settings.folders.by_name().items()},
        filesystem=mount_of(inbox).kind,
        watch="events" if is_told_of_changes(inbox, settings.watch.polling) else "scan",
        devices=[f"{place.device} ({place.threads} threads)" for place in places],
    )
    for name in unknown_environment_names():
        log.warning(Events.SETTINGS_WARNING, message=f"{name} is no setting; misspelt?")


def _supervise(
    settings: Settings,
    log_settings: LogSettings,
    places: list[Placement],
    board: ProgressBoard | None,
    *,
    kernel: KernelFile | None,
    is_once: bool,
) -> bool:
    """Run one supervisor on the ledger as it is, and close both."""
    ledger = Ledger.open(settings.folders.state)
    with closing(ledger):
        if ledger.set_aside is not None:
            logs.get_logger().warning(
                Events.LEDGER_SET_ASIDE,
                file=str(ledger.set_aside),
                message="the ledger was damaged; a new one is begun, only history is lost",
            )
        executor = LocalExecutor(
            places,
            log_settings,
            silent_after_s=settings.worker.silent_after_s,
            job_timeout_s=settings.limits.job_timeout_s,
            max_jobs=settings.worker.max_jobs,
            max_memory_bytes=memory_mark_bytes(settings.worker, len(places)),
        )
        supervisor = Supervisor(settings, ledger, executor, board, kernel=kernel)
        supervisor.handle_signals()
        return supervisor.run(is_once=is_once)
