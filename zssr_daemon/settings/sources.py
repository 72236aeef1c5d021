"""SettingSource: where the value of a setting comes from."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from zssr_daemon.settings.old_keys import WARM_START
from zssr_daemon.settings.schema import ENV_DELIMITER, ENV_PREFIX, Settings
from zssr_daemon.settings.toml_text import parse_toml
from zssr_daemon.zssr.presets import PRESETS


@dataclass(frozen=True, slots=True)
class SettingSource:
    """One key: its value, in a form that JSON can hold, and where that value comes from."""

    table: str
    key: str
    value: Any
    source: str  # "default", "preset NAME", the file, or "environment NAME"


def setting_sources(settings: Settings, file: Path) -> list[SettingSource]:
    """Return the source of every key of `settings`, which were loaded from `file`.

    The keys come in the order of settings.toml. `[degradation] auto` is shown as it was set:
    the keys that it stands for are resolved for each image, not here.
    """
    written = parse_toml(file.read_bytes())
    variables = {name.upper(): name for name in os.environ}

    def place(table: str, key: str) -> str | None:
        variable = variables.get(f"{ENV_PREFIX}{table}{ENV_DELIMITER}{key}".upper())
        if variable is not None:
            return f"environment {variable}"
        return str(file) if key in written.get(table, {}) else None

    found = []
    for table, values in _plain(settings).items():
        for key, value in values.items():
            source = place(table, key)
            if source is None and (table, key, value) == ("zssr", "start", "folder"):
                source = place(*WARM_START)  # no preset and no default has this value
            found.append(SettingSource(table, key, value, source or _default(settings, table, key)))
    return found


def _plain(settings: Settings) -> dict[str, dict[str, Any]]:
    plain = {}
    for table in type(settings).model_fields:
        values = getattr(settings, table)
        plain[table] = (
            values.model_dump(mode="json")
            if isinstance(values, BaseModel)
            else dataclasses.asdict(values)
        )
    return plain


def _default(settings: Settings, table: str, key: str) -> str:
    preset = settings.zssr.preset
    is_of_preset = table == "zssr" and key in PRESETS.get(str(preset), {})
    return f"preset {preset}" if is_of_preset else "default"
