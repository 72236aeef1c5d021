"""SettingSource: for each key, `check` shows the value and the strongest place that sets it."""

from pathlib import Path
from typing import Any

import pytest

from tests.parts.settings_files import load
from zssr_daemon.settings.load import known_keys
from zssr_daemon.settings.sources import setting_sources


def shown(folder: Path, toml: str) -> dict[tuple[str, str], tuple[Any, str]]:
    """Return value and source of each key, by table and key."""
    found = setting_sources(load(folder, toml), folder / "settings.toml")
    return {(each.table, each.key): (each.value, each.source) for each in found}


def test_every_key_is_shown_once(tmp_path: Path) -> None:
    """In the order of settings.toml."""
    keys = [(table, key) for table, keys in known_keys().items() for key in keys]
    assert list(shown(tmp_path, "")) == keys


def test_strongest_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment over file, file over preset, preset over default."""
    monkeypatch.setenv("ZSSR_ZSSR__SEED", "7")
    toml = '[zssr]\npreset = "fast"\nseed = 5\nnum_epochs = 44\n'
    found = shown(tmp_path, toml)
    assert found["zssr", "seed"] == (7, "environment ZSSR_ZSSR__SEED")
    assert found["zssr", "num_epochs"] == (44, str(tmp_path / "settings.toml"))
    assert found["zssr", "rounds"][1] == "preset fast"
    assert found["limits", "max_attempts"] == (3, "default")


def test_auto_is_shown_as_it_was_written(tmp_path: Path) -> None:
    """What it stands for is found for each image; the other keys are shown as they stand."""
    found = shown(tmp_path, "[degradation]\nauto = true\njpeg_quality = 80\n")
    assert {key: value for (table, key), (value, _) in found.items() if table == "degradation"} == {
        "kernel": "bicubic",
        "kernel_phase": "centred",
        "noise_std": 0.0,
        "grain": "remove",
        "jpeg_quality": 80,
        "auto": True,
    }
    assert found["degradation", "kernel"][1] == "default"
