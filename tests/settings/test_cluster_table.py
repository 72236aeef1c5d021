"""ClusterTable: a cluster needs a token that nobody else can read, and starts that all share."""

import os
from pathlib import Path

import pytest

from tests.parts.settings_files import fault, load
from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.settings.cluster_table import token_fault
from zssr_daemon.settings.image_settings import Resolver

CLUSTER = '[cluster]\naddress = "10.0.0.5:26379"\ntoken_file = "token"\n'


def test_without_an_address_there_is_none(tmp_path: Path) -> None:
    """That is the default."""
    assert not load(tmp_path).cluster.is_used
    cluster = load(tmp_path, CLUSTER).cluster
    assert cluster.is_used
    assert cluster.token_file == tmp_path / "token"


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('address = "10.0.0.5:26379"', "token_file is missing"),
        ("local_slots = false", "nobody would compute"),
        ('address = "10.0.0.5"\ntoken_file = "t"', "HOST:PORT"),
        ('address = "10.0.0.5:0"\ntoken_file = "t"', "HOST:PORT"),
        ('address = "10.0.0.5:99999"\ntoken_file = "t"', "HOST:PORT"),
        ('address = "ray://head:10001"\ntoken_file = "t"', "HOST:PORT"),
        ("slots_per_node = 0", "greater than or equal to 1"),
    ],
)
def test_faulty_table(tmp_path: Path, toml: str, message: str) -> None:
    """The message says what is missing."""
    assert message in fault(tmp_path, f"[cluster]\n{toml}")


@pytest.mark.parametrize("address", ["head:6379", "[fd00::5]:26379", "head.example.org:1"])
def test_address(tmp_path: Path, address: str) -> None:
    """A name will do, or an address of either kind."""
    assert load(tmp_path, CLUSTER.replace("10.0.0.5:26379", address)).cluster.address == address


def test_start_of_a_folder_is_refused(tmp_path: Path) -> None:
    """For all images, and for one by its own settings; other machines do not have it."""
    toml = CLUSTER + '[zssr]\nstart = "folder"\n'
    message = fault(tmp_path, toml)
    assert message.startswith(f"{tmp_path / 'settings.toml'}: [zssr] start")
    assert 'use "drawn"' in message
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.toml").write_text('[zssr]\nstart = "folder"\n')
    with pytest.raises(ImageSettingsError, match=r'^a\.toml: \[zssr\] start = "folder"'):
        Resolver(load(tmp_path, CLUSTER), inbox).resolve("a.png")
    assert Resolver(load(tmp_path), inbox).resolve("a.png").settings.zssr.start == "folder"


def test_token(tmp_path: Path) -> None:
    """It is read by its owner alone, and there is one."""
    token = tmp_path / "token"
    assert "No such file" in str(token_fault(token))
    token.write_text("secret\n")
    for mode in (0o644, 0o640, 0o604, 0o620, 0o700):
        token.chmod(mode)
        assert f"chmod 600 {token}" in str(token_fault(token))
    for mode in (0o600, 0o400):
        token.chmod(mode)
        assert token_fault(token) is None
    token.write_text("\n")
    assert "empty" in str(token_fault(token))
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "no file" in str(token_fault(tmp_path / "pipe"))
    assert "no file" in str(token_fault(tmp_path))
