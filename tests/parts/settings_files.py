"""Settings files: a settings.toml for a test, loaded or refused."""

from pathlib import Path

import pytest

from zssr_daemon.errors import SettingsError
from zssr_daemon.folders.check import check_folders
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.schema import Settings


def load(folder: Path, toml: str = "") -> Settings:
    """Write settings.toml and load it."""
    (folder / "settings.toml").write_text(toml)
    return load_settings(folder / "settings.toml")


def fault(folder: Path, toml: str = "") -> str:
    """Return the message with which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        check_folders(load(folder, toml), folder / "settings.toml")
    assert caught.value.exit_code == 78
    return str(caught.value)
