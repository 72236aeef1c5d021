"""The command: where the page is, and why it does not start."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.parts.daemon_process import command
from tests.parts.web_browser import TOKEN
from zssr_daemon.__main__ import app
from zssr_daemon.protocol.web_token import TOKEN_NAME


def run(root: Path, *arguments: str, toml: str = "", token: str | None = TOKEN) -> tuple[int, str]:
    """Run a command of the page; return its exit code, and what it prints."""
    file = root / "settings.toml"
    file.write_text(toml)
    (root / "state").mkdir(exist_ok=True)
    if token is not None:
        (root / "state" / TOKEN_NAME).write_text(token)
    done = CliRunner().invoke(app, ["web", *arguments, "--settings", str(file)])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    ("toml", "address"),
    [
        ("", "http://127.0.0.1:8770"),
        ('listen = "localhost:80"', "http://localhost"),
        ('listen = "[::1]:8770"', "http://[::1]:8770"),
        (
            'listen = "0.0.0.0:443"\nallowed_hosts = ["localhost", "nas.lan"]\n'
            'tls_cert = "a"\ntls_key = "b"',
            "https://nas.lan",
        ),
        ('listen = "unix:/run/x.sock"\nallowed_hosts = ["nas.lan"]', "https://nas.lan"),
    ],
)
def test_link_is_what_to_open(tmp_path: Path, toml: str, address: str) -> None:
    """As browsers reach the page, with the token where no server sees it."""
    told = run(tmp_path, "link", toml=f"[web]\n{toml}")
    assert told == (0, f"{address}/login#token={TOKEN}")


def test_settings_may_be_named_before_the_word_link(tmp_path: Path) -> None:
    """As well as behind it."""
    assert run(tmp_path, "link")[0] == 0
    named = ["--settings", str(tmp_path / "settings.toml")]
    done = CliRunner().invoke(app, ["web", *named, "link"])
    assert (done.exit_code, TOKEN in done.output) == (0, True)


@pytest.mark.parametrize("token", [None, "", "0123", "é" * 64, TOKEN.upper()])
def test_link_without_a_token(tmp_path: Path, token: str | None) -> None:
    """It says who makes one."""
    code, message = run(tmp_path, "link", token=token)
    assert code == 78
    assert "daemon" in message


def test_uploads_must_be_looked_at(tmp_path: Path) -> None:
    """A daemon that passes sub-folders over would never find them."""
    code, message = run(tmp_path, toml="[watch]\nrecursive = false")
    assert code == 78
    assert "[watch] recursive = false" in message


def test_faulty_certificate(tmp_path: Path) -> None:
    """It is a fault of the settings, which says what is wanted."""
    (tmp_path / "settings.toml").write_text(
        '[web]\nlisten = "127.0.0.1:0"\ntls_cert = "a.pem"\ntls_key = "b.pem"\n'
    )
    (tmp_path / "a.pem").write_text("no certificate")
    (tmp_path / "b.pem").write_text("no key")
    done = command(tmp_path, "web")
    assert done.returncode == 78
    assert "both in PEM" in " ".join(done.stderr.split())
