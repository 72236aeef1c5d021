"""What the documents say is true: settings.toml as shipped, and the README's code."""

import dataclasses
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from zssr_daemon.cli.commands import app
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import PRESETS, ZSSRConfig

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "settings.toml"


def uncommented() -> str:
    """Return the shipped settings with the keys that stand as comments put in force."""
    return re.sub(r"^# (?=\w+ = )", "", SHIPPED.read_text(), flags=re.MULTILINE)


def test_shipped_settings_are_the_defaults() -> None:
    """The file as shipped changes nothing."""
    assert load_settings(SHIPPED).model_dump() == Settings().relative_to(ROOT).model_dump()


def test_shipped_settings_name_every_key_with_its_default(tmp_path: Path) -> None:
    """No key is missing, and those that stand as comments show their real defaults."""
    tables = tomllib.loads(uncommented())
    file = tmp_path / "settings.toml"
    without_files = re.sub(r'^(text)?file = ".*', "", uncommented(), flags=re.MULTILINE)
    file.write_text(without_files)  # neither has a default
    assert load_settings(file).model_dump() == Settings().relative_to(tmp_path).model_dump()
    assert {name: set(keys) for name, keys in tables.items()} == {
        name: {key.name for key in dataclasses.fields(ZSSRConfig)}
        if name == "zssr"
        else set(type(field.default).model_fields)
        for name, field in Settings.model_fields.items()
    }


def test_readme_names_every_preset() -> None:
    """Nobody has to read the code to learn what can be chosen."""
    text = (ROOT / "README.md").read_text()
    assert [name for name in PRESETS if f"`{name}`" not in text and f'"{name}"' not in text] == []


def test_readme_code_runs(tmp_path: Path) -> None:
    """The library example works as it stands, from the root of a clone."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "(3, 256, 256) False\n"
    assert (tmp_path / "butterfly_x2.png").is_file()


def test_readme_commands_are_understood() -> None:
    """Each command in the examples exists, with the options it is shown with."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    shown = re.findall(
        r"(?<!-u )zssr-daemon ((?:[\w./*$-]+ ?)+)", re.sub("#.*", "", "".join(blocks))
    )
    commands = [words.split() for words in shown]
    assert len(commands) >= 10
    for verb, *words in commands:
        told = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"})
        assert told.exit_code == 0, verb
        assert [word for word in words if word.startswith("-") and word not in told.output] == []
