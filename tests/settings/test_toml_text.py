"""TomlText: files as editors of all systems save them, and faults named with their cure."""

from pathlib import Path

import pytest

from tests.parts.settings_files import fault, load
from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.profile_files import profiles_of
from zssr_daemon.settings.sources import setting_sources
from zssr_daemon.settings.toml_text import parse_toml

SEED = '[zssr]\r\nseed = 3 # "Ä"\r\n'


def test_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Editors of Windows write one; settings, their sources and profiles are read all the same."""
    for name in ("settings.toml", "a.toml"):
        (tmp_path / name).write_bytes(SEED.encode("utf-8-sig"))
    settings = load_settings(tmp_path / "settings.toml")
    sources = setting_sources(settings, tmp_path / "settings.toml")
    assert settings.zssr.seed == 3
    assert [each.source for each in sources if each.key == "seed"] == [
        str(tmp_path / "settings.toml")
    ]
    (profile,) = profiles_of(tmp_path, "a.png")
    assert profile.tables == {"zssr": {"seed": 3}}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_is_named(encoding: str) -> None:
    """With a mark and without one, the cure is to save the file in UTF-8."""
    with pytest.raises(ValueError, match="is in UTF-16: save it in UTF-8"):
        parse_toml(SEED.encode(encoding))


def test_other_encodings_are_named() -> None:
    """An umlaut of Windows-1252 is no UTF-8."""
    with pytest.raises(ValueError, match="save the file in UTF-8"):
        parse_toml(SEED.encode("cp1252"))


@pytest.mark.parametrize(
    "value", [r'"C:\scans"', r'"C:\users\me"', r'"C:\scans\"', r'["a", "D:\x"]', r'"a\"']
)
def test_backslash_between_double_quotes_is_named(tmp_path: Path, value: str) -> None:
    """The cure is single quotes, in settings and in profiles."""
    told = fault(tmp_path, f"[folders]\ninbox = {value}\n")
    assert "single quotes" in told
    assert "--settings" not in told
    (tmp_path / "a.toml").write_text(f"[degradation]\nkernel = {value}\n")
    with pytest.raises(ImageSettingsError, match="single quotes"):
        profiles_of(tmp_path, "a.png")


def test_other_faults_have_no_such_cure(tmp_path: Path) -> None:
    """A fault far from a backslash is not blamed on it."""
    told = fault(tmp_path, "[output]\nname = '{stem}\\'\nformat = png\n")
    assert told.endswith("Invalid value (at line 3, column 10); mend the file")


@pytest.mark.parametrize(
    "path", [r"'C:\scans'", r"'d:/scans'", r"'\\nas\scans'", r'"C:\temp"', r'"\\\\nas\\scans"']
)
def test_paths_of_windows_are_refused(tmp_path: Path, path: str) -> None:
    """Taken for a name of Linux, such a path would make a folder that nobody looks into."""
    told = fault(tmp_path, f"[folders]\ninbox = {path}\n")
    assert "is a path of Windows" in told
    assert "/mnt/c/scans" in told


def test_colon_in_a_name_of_linux_is_no_drive(tmp_path: Path) -> None:
    """Only what looks like a drive is one."""
    inbox = load(tmp_path, "[folders]\ninbox = 'a:b/scans: new'\n").folders.inbox
    assert inbox == tmp_path / "a:b/scans: new"
