"""SettingsOption: how a command is told which settings file counts, and what counts unless told."""

from pathlib import Path
from typing import Annotated

import typer

#: Where settings are looked for unless named.
DEFAULT_SETTINGS = Path("settings.toml")

#: Where `make install` puts the settings.
SERVICE_SETTINGS = Path("/etc/zssr-daemon/settings.toml")


def _default_settings() -> Path:
    is_service = SERVICE_SETTINGS.is_file() and not DEFAULT_SETTINGS.is_file()
    return SERVICE_SETTINGS if is_service else DEFAULT_SETTINGS


SettingsOption = Annotated[
    Path,
    typer.Option(
        "--settings",
        "-s",
        help=f"The settings file; unless named, ./{DEFAULT_SETTINGS} or {SERVICE_SETTINGS}.",
        metavar="FILE",
        default_factory=_default_settings,
        show_default=False,
    ),
]
