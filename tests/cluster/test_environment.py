"""The variables of Ray, and what is refused before it is loaded."""

import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.cluster.environment import prepare
from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.cluster_table import Cluster
from zssr_daemon.settings.schema import Settings

ADDRESS = "10.0.0.5:26379"


@pytest.fixture(autouse=True)
def folder_and_variables_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Undo what `prepare` does to this process."""
    monkeypatch.chdir(tmp_path)
    for name in ("AUTH_MODE", "AUTH_TOKEN_PATH", "USAGE_STATS_ENABLED", "USE_TLS"):
        monkeypatch.setenv(f"RAY_{name}", "")
    for name in ("SERVER_CERT", "SERVER_KEY", "CA_CERT"):
        monkeypatch.setenv(f"RAY_TLS_{name}", "")


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Return a token that its owner alone can read."""
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("secret")
    return file


def with_cluster(make: SettingsFactory, token: Path, *, tls: bool) -> Settings:
    """Return settings with a cluster."""
    cluster = Cluster(address=ADDRESS, token_file=token, tls=tls)
    return make().model_copy(update={"cluster": cluster})


def test_ray_asks_for_the_token_and_tells_nobody(
    make_settings: SettingsFactory, token: Path
) -> None:
    """Whatever the caller's environment says; and no folder of this machine leads nodes astray."""
    prepare(with_cluster(make_settings, token, tls=False))
    assert {name: os.environ[name] for name in os.environ if name.startswith("RAY_A")} == {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
    }
    assert (os.environ["RAY_USAGE_STATS_ENABLED"], os.environ["RAY_USE_TLS"]) == ("0", "0")
    assert Path.cwd() == Path("/")


def test_without_a_cluster_there_is_no_gateway(make_settings: SettingsFactory) -> None:
    """The message says what to set."""
    with pytest.raises(SettingsError, match="address and token_file are not set"):
        prepare(make_settings())


@pytest.mark.parametrize(("mode", "text"), [(0o640, "secret"), (0o604, "secret"), (0o600, " \n")])
def test_a_token_that_is_no_secret_is_refused(
    make_settings: SettingsFactory, token: Path, mode: int, text: str
) -> None:
    """Whoever knows it runs programs on every node."""
    token.write_text(text)
    token.chmod(mode)
    with pytest.raises(SettingsError, match="token_file"):
        prepare(with_cluster(make_settings, token, tls=False))


def test_tls_needs_its_files(
    make_settings: SettingsFactory, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the variable that is missing."""
    monkeypatch.setenv("RAY_TLS_SERVER_CERT", str(token))
    with pytest.raises(SettingsError, match="RAY_TLS_SERVER_KEY names no file"):
        prepare(with_cluster(make_settings, token, tls=True))


@pytest.mark.parametrize("version", ["2.59.1", "2.61.0", "3.0.0"])
def test_another_ray_is_refused(
    make_settings: SettingsFactory, token: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """All machines have one minor version, the one that is tested."""
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)
    with pytest.raises(SettingsError, match=f"ray {version}"):
        prepare(with_cluster(make_settings, token, tls=False))


def test_a_missing_ray_is_told_with_its_cure(
    make_settings: SettingsFactory, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra."""

    def missing(name: str) -> Iterator[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(SettingsError, match=r"pip install 'zssr-daemon\[cluster\]'"):
        prepare(with_cluster(make_settings, token, tls=False))
