"""SettingsTable: what the tables of settings.toml are made of."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict


class SettingsTable(BaseModel):
    """One table of settings.toml: frozen, and strict about names."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


#: A drive or a share, which here would be a folder of that name beside the settings.
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/\x00-\x1f]|\\\\")


def _plain_path(path: Path) -> Path:
    """Refuse what the system does not accept as a path, and expand `~`."""
    if "\0" in str(path):
        raise ValueError("must not hold a NUL character")
    if _WINDOWS_PATH.match(str(path)):
        cure = r"mount the share; under WSL C:\scans is /mnt/c/scans"
        raise ValueError(f"is a path of Windows, and this program runs on Linux: {cure}")
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError("begins with '~', and that user has no home folder") from error


PlainPath = Annotated[Path, AfterValidator(_plain_path)]


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


#: A file that is optional; "" stands for none.
OptionalPath = Annotated[PlainPath | None, BeforeValidator(_none_if_empty)]
