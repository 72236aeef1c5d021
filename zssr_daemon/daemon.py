"""Daemon: a supervisor with its ledger, workers, logs and terminal, put together."""

from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from zssr_daemon import __version__, logs
from zssr_daemon.console import ProgressBoard
from zssr_daemon.executor import LocalExecutor
from zssr_daemon.ledger import Ledger, LedgerLock
from zssr_daemon.logs import Events, LogSettings
from zssr_daemon.mounts import filesystem_type
from zssr_daemon.placement import memory_mark_bytes, placements
from zssr_daemon.settings import Settings, check_folders, unknown_environment_names
from zssr_daemon.supervisor import Supervisor
from zssr_daemon.watcher import is_told_of_changes


def run_daemon(settings: Settings, settings_file: Path, *, is_once: bool, console: Console) -> bool:
    """Run until a signal ends it, or with `is_once` until the inbox is drained.

    Returns whether every job came out well.

    Raises:
        SettingsError: a folder or the ledger cannot be used.
        LedgerLockedError: another daemon works on the same state folder.
    """
    check_folders(settings, settings_file)
    terminal = console if console.is_terminal else None
    log_settings = LogSettings(level=settings.logging.level, file=settings.logging.file)
    logs.configure(log_settings, terminal)
    log = logs.get_logger()
    with ExitStack() as stack:
        lock = LedgerLock(settings.folders.state)
        stack.callback(lock.release)
        ledger = Ledger.open(settings.folders.state)
        stack.callback(ledger.close)
        board = stack.enter_context(ProgressBoard(terminal)) if terminal else None
        places = placements(settings.worker)
        log.info(
            Events.DAEMON_STARTED,
            version=__version__,
            settings=str(settings_file),
            folders={name: str(path) for name, path in settings.folders.by_name().items()},
            filesystem=filesystem_type(settings.folders.inbox),
            watch="events"
            if is_told_of_changes(settings.folders.inbox, settings.watch.polling)
            else "scan",
            devices=[f"{place.device} ({place.threads} threads)" for place in places],
        )
        if ledger.set_aside is not None:
            log.warning(
                Events.LEDGER_SET_ASIDE,
                file=str(ledger.set_aside),
                message="the ledger was damaged; a new one is begun, only history is lost",
            )
        for name in unknown_environment_names():
            log.warning(Events.SETTINGS_WARNING, message=f"{name} is no setting; misspelt?")
        executor = LocalExecutor(
            places,
            log_settings,
            silent_after_s=settings.worker.silent_after_s,
            job_timeout_s=settings.limits.job_timeout_s,
            max_jobs=settings.worker.max_jobs,
            max_memory_bytes=memory_mark_bytes(settings.worker, len(places)),
        )
        supervisor = Supervisor(settings, ledger, executor, board)
        supervisor.handle_signals()
        is_good = supervisor.run(is_once=is_once)
        log.info(Events.DAEMON_STOPPED)
        return is_good
