"""The unit files: taken by systemd, closed by its own measure, each option with its reason."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.installed import (
    ODD_DATA,
    add_dependencies,
    assert_works,
    copy_of_source,
    empty_environment,
    output_of,
    package_files,
)
from tests.parts.tools import tool
from zssr_daemon.settings.schema import Settings

ROOT = Path(__file__).parent.parent
UNITS = ROOT / "systemd"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the source tree."""
    return copy_of_source(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter that has the program's dependencies, but not the program."""
    python = empty_environment(tmp_path_factory.mktemp("interpreter"))
    add_dependencies(python)
    return python


def install(source: Path, destdir: Path, interpreter: Path) -> None:
    """Install below a DESTDIR, with an interpreter given instead of an environment of its own."""
    args = [f"DESTDIR={destdir}", "PREFIX=/usr", f"INTERPRETER={interpreter}"]
    output_of(tool("make", package="make"), "install", *args, cwd=source)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, source: Path, interpreter: Path) -> Path:
    """Return a DESTDIR with everything in its place."""
    destdir = tmp_path_factory.mktemp("destdir")
    install(source, destdir, interpreter)
    return destdir


@pytest.fixture
def units(installed: Path, tmp_path: Path) -> Path:
    """Return a folder with the units, rendered so that what they start exists."""
    for unit in (installed / "usr/lib/systemd/system").iterdir():
        text = unit.read_text().replace("/usr/bin/zssr-daemon", sys.executable)
        (tmp_path / unit.name).write_text(text)
    return tmp_path


def analyze(*args: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    program = tool("systemd-analyze", package="systemd")
    return subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True, check=False)


def test_units_are_accepted(units: Path) -> None:
    """Nothing is unknown, and nothing is warned of."""
    names = ["zssr-daemon.service", "zssr-gpu-ready.service", "zssr-daemon-failed@x.service"]
    names += ["zssr-web.service", "zssr-web.socket"]
    names += ["zssr-cluster.service", "zssr-ray-head.service", "zssr-ray-node.service"]
    done = analyze("verify", *(f"./{name}" for name in names), cwd=units)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("unit", ["zssr-daemon.service", "zssr-web.service"])
def test_exposure_is_low(units: Path, unit: str) -> None:
    """At most 1.5 of 10, by systemd's own reckoning."""
    args = ["security", "--offline=true", "--threshold=15", f"./{unit}"]
    done = analyze(*args, cwd=units)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "unit", ["zssr-cluster.service", "zssr-ray-head.service", "zssr-ray-node.service"]
)
def test_exposure_of_the_cluster_is_low(units: Path, unit: str) -> None:
    """At most 2.5 of 10: these have a network, which alone counts for one."""
    done = analyze("security", "--offline=true", "--threshold=25", f"./{unit}", cwd=units)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.s[eo][rc]*")))
def test_every_option_has_its_reason(unit: str) -> None:
    """Each block of options stands below a comment; a section's name and purpose need none."""
    for block in re.split(r"\n(?:\[\w+\]\n|\n)", (UNITS / unit).read_text()):
        lines = [line for line in block.splitlines() if not line.startswith(("[", "Description="))]
        has_options = any(re.match(r"[A-Z]\w+=", line) for line in lines)
        is_plain = all(re.match(r"(Documentation|Type=oneshot|WantedBy)", line) for line in lines)
        assert not has_options or is_plain or any(line.startswith("#") for line in lines), block


def test_options_that_the_design_rests_on() -> None:
    """What would break CUDA, the CPU's convolution, renames or the ledger if it were otherwise."""
    lines = set((UNITS / "zssr-daemon.service.in").read_text().splitlines())
    assert lines >= {
        "Type=notify",
        "KillMode=mixed",
        "OOMPolicy=continue",
        "WatchdogSec=120",
        "RestartPreventExitStatus=75 78",
        "PrivateDevices=no",
        "DeviceAllow=char-nvidia* rw",
        "MemoryDenyWriteExecute=no",
        "ReadWritePaths=/srv/zssr",
        "StateDirectory=zssr",
        "RuntimeDirectory=zssr",
    }


def test_options_that_the_page_rests_on() -> None:
    """It serves a socket of systemd's without any network, and writes to its uploads alone."""
    lines = (UNITS / "zssr-web.service.in").read_text().splitlines()
    assert set(lines) >= {
        "User=zssr-web",
        "Group=zssr",
        "UMask=0007",
        "PrivateNetwork=yes",
        "RestrictAddressFamilies=AF_UNIX",
        "ReadWritePaths=/srv/zssr/inbox/web",
        "RestartPreventExitStatus=78",
        "Requires=zssr-web.socket",
    }
    assert sum(line.startswith("ReadWritePaths=") for line in lines) == 1
    socket = (UNITS / "zssr-web.socket").read_text()
    assert f"ListenStream={Settings().web.listen}\n" in socket


def test_options_that_the_cluster_rests_on() -> None:
    """Ray takes nobody without a token, tells nobody, and keeps to ports that a firewall knows."""
    for name in ("head", "node"):
        text = (UNITS / f"zssr-ray-{name}.service.in").read_text()
        (start,) = re.findall(r"^ExecStart=.*", text, re.MULTILINE)
        for option in (
            "--block",
            "--node-ip-address=${CLUSTER_ADDRESS}",
            "--node-manager-port=26380",
            "--object-manager-port=26381",
            "--min-worker-port=26400",
            "--max-worker-port=26599",
            "--include-log-monitor=false",
        ):
            assert option in start
        variables = {
            word for line in re.findall(r"^Environment=(.*)", text, re.M) for word in line.split()
        }
        assert variables >= {
            "RAY_AUTH_MODE=token",
            "RAY_AUTH_TOKEN_PATH=@SYSCONFDIR@/zssr-daemon/ray-token",
            "RAY_USAGE_STATS_ENABLED=0",
        }
        assert "\nIPAddressDeny=any\n" in text
    head = (UNITS / "zssr-ray-head.service.in").read_text()
    for option in ("--num-cpus=0", "--include-dashboard=false", "--disable-usage-stats"):
        assert option in head
    lines = (UNITS / "zssr-cluster.service.in").read_text().splitlines()
    assert set(lines) >= {
        "User=zssr",
        "Restart=always",
        "RestartPreventExitStatus=78",
        "ReadWritePaths=/srv/zssr/output",
    }


def test_installed_files(installed: Path) -> None:
    """Everything has its place; the settings are valid, for the service's folders."""
    found = {str(path.relative_to(installed)) for path in installed.rglob("*") if path.is_file()}
    assert found >= {
        "etc/logrotate.d/zssr-daemon",
        "etc/zssr-daemon/settings.toml",
        "usr/bin/zssr-daemon",
        "usr/lib/systemd/system/zssr-daemon.service",
        "usr/lib/systemd/system/zssr-cluster.service",
        "usr/lib/systemd/system/zssr-gpu-ready.service",
        "usr/lib/systemd/system/zssr-ray-head.service",
        "usr/lib/systemd/system/zssr-ray-node.service",
        "usr/lib/systemd/system/zssr-web.service",
        "usr/lib/systemd/system/zssr-web.socket",
        "usr/lib/sysusers.d/zssr-daemon.conf",
        "usr/lib/tmpfiles.d/zssr-daemon.conf",
        "usr/lib/zssr-daemon/python/zssr_daemon/telemetry/log_schema.json",
        "usr/share/doc/zssr-daemon/README.md",
        "usr/share/zssr-daemon/monitoring/zssr-daemon.rules.yml",
    }
    text = (installed / "etc/zssr-daemon/settings.toml").read_text()
    assert 'inbox = "/srv/zssr/inbox"' in text
    assert 'state = "/var/lib/zssr"' in text
    unit = (installed / "usr/lib/systemd/system/zssr-daemon.service").read_text()
    assert "ExecStart=/usr/bin/zssr-daemon run --settings /etc/zssr-daemon/settings.toml" in unit
    page = (installed / "usr/lib/systemd/system/zssr-web.service").read_text()
    assert "ExecStart=/usr/bin/zssr-daemon web --settings /etc/zssr-daemon/settings.toml" in page
    assert "@" not in re.sub(r"@system-service|~@privileged", "", page)
    for name in ("zssr-cluster", "zssr-ray-head", "zssr-ray-node"):
        other = (installed / f"usr/lib/systemd/system/{name}.service").read_text()
        assert "@" not in re.sub(r"@system-service|~@privileged", "", other)
    assert "@" not in re.sub(r"@system-service|~@privileged|failed@\S*", "", unit)


def test_whole_package_is_installed(source: Path, installed: Path) -> None:
    """All its files, whatever their endings."""
    found = package_files(installed / "usr/lib/zssr-daemon/python")
    assert found == package_files(source)
    assert str(ODD_DATA) in found


@pytest.mark.slow
def test_installed_program_works(installed: Path, interpreter: Path, tmp_path: Path) -> None:
    """The launcher finds the program that lies beside it; its interpreter has none."""
    code = "import importlib.util; print(importlib.util.find_spec('zssr_daemon'))"
    assert output_of(interpreter, "-c", code, cwd=tmp_path) == "None\n"
    assert_works(installed / "usr/bin/zssr-daemon", tmp_path)


def test_settings_survive_the_next_install(source: Path, interpreter: Path, tmp_path: Path) -> None:
    """What an administrator has written is not overwritten."""
    settings = tmp_path / "etc/zssr-daemon/settings.toml"
    install(source, tmp_path, interpreter)
    settings.write_text("# mine")
    install(source, tmp_path, interpreter)
    assert settings.read_text() == "# mine"


def test_folders_are_those_of_the_settings() -> None:
    """Tmpfiles makes what settings.toml is installed with; sysusers makes their owner."""
    tmpfiles = (UNITS / "zssr-daemon.tmpfiles").read_text()
    for folder in ("inbox", "inbox/web", "output", "archive", "failed"):
        assert re.search(rf"^d /srv/zssr/{folder} +2770 zssr zssr -$", tmpfiles, re.MULTILINE)
    assert (UNITS / "zssr-daemon.sysusers").read_text().splitlines()[-1].startswith("u zssr - ")


def test_log_rotation_never_copies() -> None:
    """What is written between copy and truncation would be lost."""
    text = (UNITS / "zssr-daemon.logrotate").read_text()
    assert not re.search(r"^\s*copytruncate", text, re.MULTILINE)


def test_log_rotation_is_accepted(tmp_path: Path) -> None:
    """By logrotate itself."""
    program = tool("logrotate", package="logrotate")
    file = tmp_path / "zssr"
    text = (UNITS / "zssr-daemon.logrotate").read_text()
    file.write_text(text.replace("    su zssr zssr\n", ""))
    done = subprocess.run([program, "--debug", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make users and give files away")
def test_user_and_folders_are_made(installed: Path) -> None:
    """The two commands of the README make the user, and folders that the group may write to."""
    (installed / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
    for name, *args in (["systemd-sysusers"], ["systemd-tmpfiles", "--create"]):
        program = tool(name, package="systemd")
        done = subprocess.run(
            [program, *args, f"--root={installed}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    (user,) = re.findall(r"^zssr:.*", (installed / "etc/passwd").read_text(), re.MULTILINE)
    uid = int(user.split(":")[2])
    assert "zssr-web" in (installed / "etc/passwd").read_text()
    assert re.search("^zssr:.*zssr-web$", (installed / "etc/group").read_text(), re.MULTILINE)
    for folder in ("inbox", "inbox/web", "output", "archive", "failed"):
        status = (installed / "srv/zssr" / folder).stat()
        assert (status.st_mode & 0o7777, status.st_uid) == (0o2770, uid)
