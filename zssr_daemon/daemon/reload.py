"""Reload: which keys of newly read settings a running daemon applies, and when."""

from collections.abc import Callable
from typing import Any

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.load import known_keys
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.sd_notify import Notifier
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events

#: Tables that can be applied between two jobs, except for some keys. All others need a restart.
_TABLES = ("watch", "zssr", "output", "limits", "logging")
_FIXED = {"limits": ("job_timeout_s",), "logging": ("file",)}


class Reloader:
    """Reads the settings again when asked; it refuses faulty settings as a whole."""

    def __init__(self, load: Callable[[], Settings], notifier: Notifier) -> None:
        self._load = load
        self._notifier = notifier
        self._log = logs.get_logger()
        self.pending: Settings | None = None  # to be applied as soon as no job is in work

    def read(self, current: Settings) -> None:
        """Read the settings, and log which keys will be applied and which need a restart."""
        self._notifier.reloading()
        try:
            self._accept(current, self._load())
        except SettingsError as error:
            self._log.error(Events.SETTINGS_REFUSED, message=str(error))
        self._notifier.reloaded()

    def _accept(self, current: Settings, new: Settings) -> None:
        merged = merge(current, new)
        applied = differences(current, merged)
        needs_restart = differences(merged, new)
        self.pending = merged if applied else None
        self._log.info(Events.SETTINGS_RELOADED, applied=applied, needs_restart=needs_restart)


def merge(old: Settings, new: Settings) -> Settings:
    """Return `old` with every key of `new` that a running daemon can apply."""
    return new.model_copy(update={table: _merged_table(table, old, new) for table in known_keys()})


def differences(one: Settings, other: Settings) -> list[str]:
    """Name the keys that differ, as "[table] key"."""
    return [
        f"[{table}] {key}"
        for table, keys in known_keys().items()
        for key in keys
        if getattr(getattr(one, table), key) != getattr(getattr(other, table), key)
    ]


def _merged_table(table: str, old: Settings, new: Settings) -> Any:
    if table not in _TABLES:
        return getattr(old, table)
    fixed = {key: getattr(getattr(old, table), key) for key in _FIXED.get(table, ())}
    values = getattr(new, table)
    return values.model_copy(update=fixed) if fixed else values
