"""The command line: exit codes, and messages a user can act on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.parts.daemon_parts import identity_of
from tests.parts.starts import add_start, ship, unfitted
from zssr_daemon import __version__
from zssr_daemon.cli.commands import app
from zssr_daemon.errors import Reason
from zssr_daemon.folders.inbox_lock import InboxLock
from zssr_daemon.ledger.database import LEDGER_NAME
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.ledger.lock import LedgerLock
from zssr_daemon.zssr.config import ZSSRConfig


def call(*args: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(arg) for arg in args], env={"COLUMNS": "200"})


def run_once(file: Path) -> "subprocess.CompletedProcess[str]":
    """Run the daemon in a process of its own."""
    args = [sys.executable, "-m", "zssr_daemon", "run", "--once", "--settings", str(file)]
    return subprocess.run(args, check=False, capture_output=True, text=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write settings whose folders lie beside them."""
    path = tmp_path / "settings.toml"
    path.write_text("[folders]\n[limits]\nmin_free_disk_bytes = 0\n")
    return path


def test_version() -> None:
    """It is told, and nothing else is done."""
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"zssr-daemon {__version__}\n")


@pytest.mark.parametrize(
    "args", [["nonsense"], ["run", "--nonsense"], ["upscale"], ["jobs", "--state", "asleep"]]
)
def test_wrong_usage(args: list[str]) -> None:
    """Exit code 2."""
    assert call(*args).exit_code == 2


@pytest.mark.parametrize("option", [["--preset", "fsat"], ["--scale", "0.5"], ["--scale", "nan"]])
def test_wrong_choice(file: Path, option: list[str]) -> None:
    """A preset or scale that there is not is wrong usage, and is named."""
    result = call("upscale", "a.png", "--settings", file, *option)
    assert result.exit_code == 2
    assert option[1] in result.stderr


@pytest.mark.parametrize("command", ["run", "check", "jobs"])
def test_bad_settings(file: Path, command: str) -> None:
    """Exit code 78, and the message names file, key and the nearest known name."""
    file.write_text("[watch]\nstable_after = 5")
    result = call(command, "--settings", file)
    assert result.exit_code == 78
    assert f"{file}: unknown key [watch] stable_after; did you mean stable_aft" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["run", "check", "jobs"])
def test_missing_settings(tmp_path: Path, command: str) -> None:
    """A misspelt path is not taken for the defaults."""
    result = call(command, "--settings", tmp_path / "gone.toml")
    assert result.exit_code == 78
    assert "gone.toml: cannot be read" in result.stderr


def test_overlapping_folders(file: Path) -> None:
    """They are refused before anything is made or started."""
    file.write_text('[folders]\noutput = "inbox/out"')
    result = call("run", "--once", "--settings", file)
    assert result.exit_code == 78
    assert "lies in inbox" in result.stderr
    assert not (file.parent / "inbox").exists()


def test_second_daemon(file: Path) -> None:
    """A second daemon ends with exit code 75 while the first holds the ledger."""
    state = file.parent / "state"
    state.mkdir()
    lock = LedgerLock(state)
    done = run_once(file)
    lock.release()
    assert done.returncode == 75
    assert "another zssr-daemon is running" in done.stderr


def test_damaged_ledger(file: Path) -> None:
    """A reader is told the cure, with exit code 78; the daemon sets it aside and says so."""
    (file.parent / "state").mkdir()
    (file.parent / "state" / LEDGER_NAME).write_bytes(b"no database at all" * 100)
    result = call("jobs", "--settings", file)
    done = run_once(file)
    assert (done.returncode, result.exit_code) == (0, 78)
    assert "ledger_set_aside" in done.stdout
    assert "move it away and start again" in result.stderr


def test_jobs_without_a_ledger(file: Path) -> None:
    """Before the first run there is no ledger, and the message says so."""
    result = call("jobs", "--settings", file)
    assert result.exit_code == 78
    assert "no ledger yet" in result.stderr


def test_jobs(file: Path) -> None:
    """A table, JSON, or one job by the start of its id; an unknown id gives exit code 1."""
    inbox, state = file.parent / "inbox", file.parent / "state"
    state.mkdir()
    ledger = Ledger.open(state)
    source = inbox / "[red]\udcff.png"
    source.parent.mkdir()
    source.touch()
    job = ledger.add(source.name, identity_of(source), now=0.0)
    job = ledger.fail(job.id, now=1.0, reason=Reason.CORRUPT, message="told [/so]")
    ledger.close()
    result = call("jobs", "--settings", file, "--json")
    assert json.loads(result.stdout)["id"] == job.id
    assert json.loads(result.stdout)["src_rel"] == "[red]\\xff.png"
    table = call("jobs", "--settings", file, job.id[:6])
    assert table.exit_code == 0
    assert "[red]\\xff.png" in table.stdout
    assert "corrupt: told [/so]" in table.stdout
    assert call("jobs", "--settings", file, "--state", "done", "--json").stdout == ""
    assert call("jobs", "--settings", file, "zzz").exit_code == 1


def test_check_names_a_device_that_is_not_there(file: Path) -> None:
    """The check ends with exit code 1 and names the cure."""
    with file.open("a") as stream:
        stream.write('[worker]\ndevices = ["cuda:99"]\n')
    result = call("check", "--settings", file)
    assert result.exit_code == 1
    assert "FAIL device cuda:99" in result.stdout
    assert 'set devices = "auto"' in result.stdout


def test_check_names_what_limits_the_daemon(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another daemon's inbox is a fault; scans without events, and a quota, are only told."""
    with file.open("a") as stream:
        stream.write('[watch]\npolling = true\n[worker]\ndevices = ["cuda:99"]\n')
    monkeypatch.setattr("zssr_daemon.cli.check.cpu_quota", lambda: 1.5)
    (tmp_path / "inbox").mkdir()
    lock = InboxLock(tmp_path / "inbox")
    lock.take()
    result = call("check", "--json", "--settings", file)
    lock.release()
    checks = {each["name"]: each for each in json.loads(result.stdout)["checks"]}
    assert "another zssr-daemon works on it" in checks["inbox"]["message"]
    assert not checks["inbox"]["is_good"]
    assert "scans only, every 15 s: [watch] polling = true" in checks["watch"]["message"]
    assert "the control group grants the time of 1.5" in checks["cores"]["message"]
    assert checks["watch"]["is_good"]


def test_check_of_a_good_set_up(file: Path) -> None:
    """The check ends with exit code 0, after a tiny fit."""
    with file.open("a") as stream:
        stream.write('[worker]\ndevices = ["cpu"]\n')
    result = call("check", "--settings", file)
    assert (result.exit_code, "FAIL" in result.stdout) == (0, False)
    assert "a tiny fit works" in result.stdout


@pytest.mark.parametrize(("start", "told"), [("drawn", "tiny, sha256 "), ("none", "chance")])
def test_check_names_the_start(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str, told: str
) -> None:
    """And the old key that stands in the file, which is no fault."""
    sha256 = add_start(tmp_path / "weights", unfitted(ZSSRConfig()))
    ship(monkeypatch, tmp_path / "weights")
    with file.open("a") as stream:
        stream.write(f'[zssr]\nstart = "{start}"\n[worker]\ndevices = ["cpu"]\n')
        stream.write('warm_start = "off"\n')
    result = call("check", "--json", "--settings", file)
    assert result.exit_code == 0
    checks = {each["name"]: each for each in json.loads(result.stdout)["checks"]}
    assert checks["start"]["message"].startswith(told)
    assert (sha256[:12] in checks["start"]["message"]) == (start == "drawn")
    assert '[worker] warm_start = "off"' in checks["old key"]["message"]


def test_check_names_a_damaged_start(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the exit code of settings, as the daemon ends."""
    add_start(tmp_path / "weights", unfitted(ZSSRConfig()))
    (tmp_path / "weights" / "tiny.safetensors").unlink()
    ship(monkeypatch, tmp_path / "weights")
    result = call("check", "--settings", file)
    assert result.exit_code == 78
    assert "the starts cannot be read" in result.output
