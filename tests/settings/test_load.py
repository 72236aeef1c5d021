"""Load: every key can be set in three ways, and the environment wins."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.parts.settings_files import load
from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.load import known_keys, load_settings, unknown_environment_names
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import ZSSRConfig

SHIPPED = Path(__file__).parent.parent.parent / "settings.toml"


def test_empty_file_is_enough(tmp_path: Path) -> None:
    """Every key has a default; without a file the defaults hold too."""
    assert load(tmp_path).zssr == ZSSRConfig()
    assert load(tmp_path, "[folders]\n") == load(tmp_path)
    assert load_settings(None).zssr == ZSSRConfig()


def test_shipped_file_is_valid() -> None:
    """The settings.toml that comes with the program loads, and its values are the defaults."""
    settings = load_settings(SHIPPED)
    assert settings.model_dump() == Settings().relative_to(SHIPPED.parent).model_dump()


def test_shipped_file_names_every_key() -> None:
    """A user finds each key in the file, set or in a comment."""
    text = SHIPPED.read_text()
    tables = tomllib.loads(text)
    missing = [
        f"[{table}] {key}"
        for table, keys in known_keys().items()
        for key in keys
        if key not in tables.get(table, {}) and f"{key} =" not in text
    ]
    assert missing == []


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    """Where the daemon is started from does not matter; absolute paths stay."""
    toml = '[folders]\ninbox = "in"\noutput = "/abs/out"\n[logging]\nfile = "log/x.jsonl"'
    settings = load(tmp_path, toml)
    assert settings.folders.inbox == tmp_path / "in"
    assert settings.folders.output == Path("/abs/out")
    assert settings.folders.state == tmp_path / "state"
    assert settings.logging.file == tmp_path / "log/x.jsonl"


def test_home_is_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home folder of the user who runs the daemon."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(tmp_path, '[folders]\ninbox = "~/in"').folders.inbox == tmp_path / "home/in"


def test_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable replaces one key, and the file's other keys of that table stay."""
    monkeypatch.setenv("ZSSR_ZSSR__NUM_EPOCHS", "33")
    monkeypatch.setenv("ZSSR_FOLDERS__INBOX", "from_env")
    monkeypatch.setenv("ZSSR_WORKER__DEVICES", '["cpu"]')
    toml = '[zssr]\npreset = "fast"\nnum_epochs = 44\nseed = 5\n[folders]\noutput = "out"'
    settings = load(tmp_path, toml)
    assert settings.zssr == ZSSRConfig.from_preset("fast", num_epochs=33, seed=5)
    assert settings.folders.inbox == tmp_path / "from_env"
    assert settings.folders.output == tmp_path / "out"
    assert settings.worker.devices == ("cpu",)
    assert unknown_environment_names() == []


def test_preset_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preset from the environment fills in its values like any other."""
    monkeypatch.setenv("ZSSR_ZSSR__PRESET", "fast")
    assert load(tmp_path).zssr == ZSSRConfig.from_preset("fast")


def test_misspelt_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that matches no key is named."""
    monkeypatch.setenv("ZSSR_FOLDER__INBOX", "a")
    monkeypatch.setenv("ZSSR_LIMITS__MAX_MB", "1")
    assert unknown_environment_names() == ["ZSSR_FOLDER__INBOX"]


def test_missing_file_is_told(tmp_path: Path) -> None:
    """A misspelt path is not taken for an empty file."""
    with pytest.raises(SettingsError, match=r"No such file.*--settings"):
        load_settings(tmp_path / "gone.toml")


def test_settings_travel_to_children(tmp_path: Path) -> None:
    """Frozen classes of a module pickle, so spawned processes can have them."""
    code = (
        "import pickle, sys; from zssr_daemon.settings.load import load_settings;"
        "settings = load_settings(None);"
        "assert pickle.loads(pickle.dumps(settings)) == settings;"
        "assert not {'torch', 'numpy', 'PIL'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=tmp_path).returncode == 0
