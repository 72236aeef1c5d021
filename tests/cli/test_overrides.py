"""Overrides: options become settings, with the values that a TOML file would give."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from zssr_daemon.cli.commands import app
from zssr_daemon.cli.overrides import Overrides


def assigned(*texts: str) -> dict[str, dict[str, object]]:
    """Return the tables of --set."""
    over = Overrides()
    over.add_assignments(texts)
    return over.tables


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500", 500),
        ("0.5", 0.5),
        ("true", True),
        ('["cpu"]', ["cpu"]),
        ("[2.0, 3.0]", [2.0, 3.0]),
        ('"tiff"', "tiff"),
        ("'tiff'", "tiff"),
        ("tiff", "tiff"),
        ("3840x2160", "3840x2160"),
        ("{stem}=new", "{stem}=new"),
        (" a b ", "a b"),
        ("", ""),
        ("1\nb = 2", "1\nb = 2"),
    ],
)
def test_values_are_those_of_toml_or_texts(text: str, value: object) -> None:
    """Quotes are needed for nothing that a shell would take away."""
    assert assigned(f"a.b={text}") == {"a": {"b": value}}


@pytest.mark.parametrize("text", ["a", "a.b", "a=b", ".b=1", "a.=1", "=1", "--scale"])
def test_other_texts_are_wrong_usage(text: str) -> None:
    """The message shows how it is written."""
    with pytest.raises(typer.BadParameter, match=r"write --set table\.key=value"):
        assigned(text)


def test_kernel_starts_at_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at the settings file, as a path in that does; words are no paths."""
    monkeypatch.chdir("/tmp")
    for given, placed in [
        ("lens.npy", "/tmp/lens.npy"),
        ("/lens.npy", "/lens.npy"),
        ("~/lens.npy", "~/lens.npy"),
        ("estimate", "estimate"),
    ]:
        assert assigned(f"degradation.kernel={given}") == {"degradation": {"kernel": placed}}


def test_format_is_known_by_its_endings() -> None:
    """As people say it."""
    for given, setting in [("jpg", "jpeg"), ("TIF", "tiff"), ("webp", "webp"), ("same", "same")]:
        over = Overrides()
        over.add_format(given)
        assert over.tables == {"output": {"format": setting}}


def call(tmp_path: Path, *args: str) -> Result:
    """Call upscale with an empty settings file and no image, which is told last."""
    (tmp_path / "settings.toml").write_text("")
    file = str(tmp_path / "settings.toml")
    command = ["upscale", str(tmp_path / "gone.png"), "--settings", file, *args]
    return CliRunner().invoke(app, command, env={"COLUMNS": "300"})


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--set", "zssr.num_epoch=5"], "unknown key [zssr] num_epoch; did you mean num_epochs?"),
        (["--set", "zsr.seed=5"], "unknown key [zsr]; did you mean zssr?"),
        (["--set", "zssr.seed=many"], "[zssr] seed = 'many'"),
        (["--set", "limits.max_MB=-1"], "[limits] max_MB = -1"),
        (["--set", "zssr.seed=1", "--set", "zssr.seed=2"], "zssr.seed is given twice"),
        (["--scale", "3", "--set", "zssr.scale_factor=2"], "zssr.scale_factor is given twice"),
        (["--scale", "3", "--size", "10x10"], "target = '10x10' is a size, scale_factor a factor"),
        (["--size", "4k"], "target = '4k'"),
        (["--start", "photographs"], "start = 'photographs'"),
        (["--format", "gif"], "[output] format = 'gif'"),
        (["--kernel", "lens.txt"], "[degradation] kernel = "),
    ],
)
def test_wrong_values_are_wrong_usage(tmp_path: Path, args: list[str], told: str) -> None:
    """They pass the checks of settings.toml, and the message says that they come from here."""
    result = call(tmp_path, *args)
    assert result.exit_code == 2
    assert told in result.stderr


def test_fault_of_the_file_is_one_of_settings(tmp_path: Path) -> None:
    """Exit code 78, as of every command."""
    file = tmp_path / "other.toml"
    file.write_text("[zssr]\nsead = 1")
    command = ["upscale", "a.png", "--settings", str(file), "--set", "zssr.seeed=1"]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "300"})
    assert result.exit_code == 78


def test_file_for_several_images_is_wrong_usage(tmp_path: Path) -> None:
    """A folder of that name would surprise."""
    result = call(tmp_path, "b.png", "-o", str(tmp_path / "out.png"))
    assert result.exit_code == 2
    assert "for several images name a folder" in result.stderr
