"""OldKeys: settings files of earlier versions go on working, and say what to write instead."""

from pathlib import Path

import pytest

from tests.parts.settings_files import fault, load
from zssr_daemon.settings.load import load_settings, unknown_environment_names
from zssr_daemon.settings.sources import setting_sources
from zssr_daemon.zssr.config import ZSSRConfig

SETTINGS_0_1 = Path(__file__).parents[1] / "data" / "settings_0_1.toml"


def old(value: str, start: str | None = None, preset: str = "balanced") -> str:
    """Return a file with the old key, and the new one too if it is given."""
    zssr = "" if start is None else f'start = "{start}"\n'
    return f'[zssr]\npreset = "{preset}"\n{zssr}[worker]\nwarm_start = "{value}"\n'


def test_settings_of_the_last_version_load() -> None:
    """The file as it was shipped: the same values as today's defaults, and one warning."""
    settings = load_settings(SETTINGS_0_1)
    assert settings.zssr == ZSSRConfig()
    (warning,) = settings.warnings
    assert warning.startswith('[worker] warm_start = "off" has no effect')


def test_folder_is_translated(tmp_path: Path) -> None:
    """The one key that counts has the value, as if somebody had written it there."""
    settings = load(tmp_path, old("folder"))
    assert settings.zssr.start == "folder"
    assert settings.written_zssr()["start"] == "folder"
    assert not hasattr(settings.worker, "warm_start")
    (warning,) = settings.warnings
    assert "write that instead" in warning
    assert load(tmp_path, old("folder", preset="paper")).zssr.start == "folder"


def test_off_says_nothing(tmp_path: Path) -> None:
    """The default and the preset stay in force."""
    settings = load(tmp_path, old("off"))
    assert settings.zssr.start == "drawn"
    assert "start" not in settings.written_zssr()
    assert load(tmp_path, old("off", preset="paper")).zssr.start == "none"


@pytest.mark.parametrize(
    ("value", "start", "is_contradiction"),
    [
        ("off", "folder", True),
        ("folder", "drawn", True),
        ("folder", "none", True),
        ("folder", "folder", False),
        ("off", "drawn", False),
        ("off", "none", False),
    ],
)
def test_the_new_key_wins(tmp_path: Path, value: str, start: str, is_contradiction: bool) -> None:
    """Where both are written; the warning says so if they contradict each other."""
    settings = load(tmp_path, old(value, start))
    assert settings.zssr.start == start
    (warning,) = settings.warnings
    assert ("contradicts" in warning) == is_contradiction
    assert f'[zssr] start = "{start}", which counts' in warning


def test_the_environment_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of an installed unit go on working, and do not count as misspelt."""
    monkeypatch.setenv("ZSSR_WORKER__WARM_START", "folder")
    settings = load(tmp_path)
    assert settings.zssr.start == "folder"
    assert len(settings.warnings) == 1
    assert unknown_environment_names() == []
    sources = setting_sources(settings, tmp_path / "settings.toml")
    (source,) = [each.source for each in sources if each.key == "start"]
    assert source == "environment ZSSR_WORKER__WARM_START"


def test_check_names_the_file_as_the_source(tmp_path: Path) -> None:
    """Who reads the value finds the line."""
    sources = setting_sources(load(tmp_path, old("folder")), tmp_path / "settings.toml")
    (source,) = [each.source for each in sources if each.key == "start"]
    assert source == str(tmp_path / "settings.toml")


@pytest.mark.parametrize("value", ['"warm"', "true", "[1]"])
def test_values_that_never_were_are_refused(tmp_path: Path, value: str) -> None:
    """As any key that does not exist."""
    message = fault(tmp_path, f"[worker]\nwarm_start = {value}\n")
    assert "unknown key [worker] warm_start" in message


def test_settings_of_today_warn_of_nothing(tmp_path: Path) -> None:
    """Only old keys do."""
    assert load(tmp_path, '[zssr]\nstart = "folder"\n').warnings == ()
