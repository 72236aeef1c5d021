"""Load: reads settings from the TOML file and the environment."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pydantic_settings
from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.explain import explain
from zssr_daemon.settings.layers import Tables, contradiction, laid_over
from zssr_daemon.settings.old_keys import WARM_START
from zssr_daemon.settings.schema import ENV_DELIMITER, ENV_PREFIX, JSON_CURE, Settings
from zssr_daemon.settings.toml_text import parse_toml

#: Where values of the command line are said to be written.
COMMAND_LINE = "command line"


def load_settings(file: Path | None, over: Tables | None = None) -> Settings:
    """Read, merge and validate the settings.

    Args:
        file: the TOML file; with None the defaults apply, relative to the current folder.
        over: tables of the command line, which count more than the environment and the file.

    Raises:
        SettingsError: the file is missing, is not TOML, or has a faulty key; the message names
            file or variable, key, value and cure.
    """
    over = over or {}
    try:
        environment = EnvSettingsSource(Settings)()
        layers = {str(file): _read_toml(file), "environment": environment, COMMAND_LINE: over}
        settings = Settings(**_merged(layers))
    except ValidationError as error:
        where = partial(_where_written, file=file, over=over)
        raise SettingsError(explain(error, known_keys(), where)) from error
    except pydantic_settings.SettingsError as error:  # a list or table that is not JSON
        raise SettingsError(
            f"environment variable {ENV_PREFIX}...: {error}: {JSON_CURE}"
        ) from error
    return settings.relative_to((file.parent if file else Path()).resolve())


def unknown_environment_names() -> list[str]:
    """Return the names of `ZSSR_*` variables that match no key; each is likely misspelt."""
    names = [(table, key) for table, keys in known_keys().items() for key in keys]
    known = {
        f"{ENV_PREFIX}{table}{ENV_DELIMITER}{key}".upper() for table, key in [*names, WARM_START]
    }
    return sorted(n for n in os.environ if n.startswith(ENV_PREFIX) and n.upper() not in known)


def known_keys() -> dict[str, list[str]]:
    """Return the names of the keys of each table of settings.toml."""
    return {
        table: list(
            getattr(field.default, "__dataclass_fields__", type(field.default).__annotations__)
        )
        for table, field in Settings.model_fields.items()
    }


def _read_toml(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return parse_toml(file.read_bytes())
    except ValueError as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from error
    except OSError as error:
        cure = (
            "give the file with --settings, or copy the settings.toml that comes with the program"
        )
        raise SettingsError(f"{file}: cannot be read: {error}; {cure}") from error


def _merged(layers: Mapping[str, Tables]) -> dict[str, Any]:
    """Lay the layers over each other, the nearest last; each is named by where it is written."""
    tables: dict[str, Any] = {}
    for where, layer in layers.items():
        fault = contradiction(layer)
        if fault is not None:
            raise SettingsError(f"{where}: {fault}")
        tables = laid_over(tables, layer)
    return tables


def _where_written(names: list[str], file: Path | None, over: Tables) -> str:
    table = over.get(names[0]) if names else None
    if table is not None and (len(names) < 2 or not isinstance(table, dict) or names[1] in table):
        return COMMAND_LINE
    variable = ENV_PREFIX + ENV_DELIMITER.join(names[:2]).upper()
    if variable in os.environ:
        return f"environment variable {variable}"
    return str(file or "defaults")
