"""The token of the web page: there, secret, and never one that somebody else may know."""

import os
import re
from pathlib import Path

import pytest

from zssr_daemon.protocol.web_token import TOKEN_NAME, ensure_token


def token(folder: Path) -> str:
    """Return the token that lies in a state folder, which must be a good one."""
    path = folder / TOKEN_NAME
    assert path.is_file() and not path.is_symlink()
    assert path.stat().st_mode & 0o7777 == 0o640
    text = path.read_text()
    assert re.fullmatch(r"[0-9a-f]{64}\n", text)
    return text


@pytest.mark.parametrize("umask", [0o000, 0o027, 0o077])
def test_token_is_made_once(tmp_path: Path, umask: int) -> None:
    """Readable for the group and nobody else, whatever the umask; a later start keeps it."""
    former = os.umask(umask)
    try:
        assert ensure_token(tmp_path) == []
        made = token(tmp_path)
        assert ensure_token(tmp_path) == []
        assert token(tmp_path) == made
    finally:
        os.umask(former)
    assert [path.name for path in tmp_path.iterdir()] == [TOKEN_NAME]


def test_each_folder_has_its_own(tmp_path: Path) -> None:
    """No two are alike."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        ensure_token(folder)
    assert token(folders[0]) != token(folders[1])


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o642, 0o600 | 0o4000])
def test_token_that_others_may_know_is_replaced(tmp_path: Path, mode: int) -> None:
    """The warning says why, and that logins have ended."""
    ensure_token(tmp_path)
    known = token(tmp_path)
    (tmp_path / TOKEN_NAME).chmod(mode)
    (warning,) = ensure_token(tmp_path)
    assert f"{mode:04o}" in warning and "every login has ended" in warning
    assert token(tmp_path) != known


@pytest.mark.parametrize("content", [b"", b"x" * 64, b"a" * 63, b"a" * 65, b"\xff" * 5000])
def test_what_is_no_token_is_replaced(tmp_path: Path, content: bytes) -> None:
    """As a file that a full disk has cut."""
    (tmp_path / TOKEN_NAME).write_bytes(content)
    (tmp_path / TOKEN_NAME).chmod(0o640)
    (warning,) = ensure_token(tmp_path)
    assert "it holds no token" in warning
    token(tmp_path)


@pytest.mark.parametrize("kind", ["link", "dangling link", "hard link", "fifo"])
def test_what_is_no_file_of_its_own_is_replaced(tmp_path: Path, kind: str) -> None:
    """Neither read nor written through; where a link led to, nothing changes."""
    target, path = tmp_path / "elsewhere", tmp_path / TOKEN_NAME
    target.write_text("a" * 64)
    target.chmod(0o640)
    if kind == "link":
        path.symlink_to(target)
    elif kind == "dangling link":
        path.symlink_to(tmp_path / "gone")
    elif kind == "hard link":
        path.hardlink_to(target)
    else:
        os.mkfifo(path, 0o640)
    assert len(ensure_token(tmp_path)) == 1
    assert token(tmp_path).strip() != "a" * 64
    assert target.read_text() == "a" * 64
    assert not (tmp_path / "gone").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_token_of_another_user_is_replaced(tmp_path: Path) -> None:
    """He could change it at any time."""
    ensure_token(tmp_path)
    known = token(tmp_path)
    os.chown(tmp_path / TOKEN_NAME, 61_001, -1)
    (warning,) = ensure_token(tmp_path)
    assert "another user" in warning
    assert token(tmp_path) != known


def test_daemon_goes_on_without_one(tmp_path: Path) -> None:
    """A folder in its place is left alone; the warning says what does not work."""
    (tmp_path / TOKEN_NAME / "kept").mkdir(parents=True)
    (warning,) = ensure_token(tmp_path)
    assert "nobody can log in to the web page" in warning
    assert (tmp_path / TOKEN_NAME / "kept").is_dir()


def test_interrupted_write_is_repeated(tmp_path: Path) -> None:
    """What a killed start left is no obstacle."""
    (tmp_path / f".{TOKEN_NAME}.part").write_text("half")
    assert ensure_token(tmp_path) == []
    token(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [TOKEN_NAME]
