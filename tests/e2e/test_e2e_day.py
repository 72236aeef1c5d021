"""A day in the life: installed, checked, run, asked, mended, stopped; public commands only."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.parts.daemon_process import DATA, QUICK_ZSSR, WAIT_S, files, wait_until
from tests.parts.log_lines import assert_valid

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parent.parent.parent
SERVICE = ROOT / "docs/service.md"


class Machine:
    """A machine on which an administrator has installed the service below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run(f"make -C {ROOT} install DESTDIR={root} PREFIX=/usr INTERPRETER={sys.executable}")
        self.srv = root / "srv" / "zssr"
        self._settings = root / "settings.toml"
        text = (root / "etc/zssr-daemon/settings.toml").read_text()
        text = text.replace('"/srv/zssr/', f'"{self.srv}/').replace('"/var/lib', f'"{root}/var/lib')
        text = re.sub(r'^# textfile = "\S+"', 'textfile = "zssr.prom"', text, flags=re.MULTILINE)
        text = re.sub(r'^devices = "auto"', 'devices = ["cpu"]', text, flags=re.MULTILINE)
        for key, value in {
            "stable_after_s": 0.2,
            "scan_interval_s": 0.5,
            "unreadable_after_s": 0.3,
            "processes_per_device": 1,
            "min_free_disk_bytes": 0,
            "report": "true",
        }.items():
            text = re.sub(rf"^{key} = \S+", f"{key} = {value}", text, flags=re.MULTILINE)
        self._settings.write_text(text.replace("[zssr]", f"[zssr]{QUICK_ZSSR}"))

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a line of shell, as typed."""
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )

    def ask(self, command: str) -> Any:
        """Run a command that answers in JSON."""
        done = self.run(command)
        assert done.stderr == ""
        return json.loads(done.stdout)

    def environment(self) -> dict[str, str]:
        """Return what a login shell has; nothing points to the source tree."""
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        path = f"{self.root / 'usr/bin'}:{kept['PATH']}"
        return {**kept, "PATH": path, "NO_COLOR": "1"}

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the daemon as its unit does."""
        with (self.root / "stdout.jsonl").open("ab") as stdout:
            program = str(self.root / "usr/bin/zssr-daemon")
            command = [program, "run", "--settings", "settings.toml"]
            return subprocess.Popen(command, cwd=self.root, stdout=stdout, env=self.environment())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Install."""
    return Machine(tmp_path)


def commands_of_the_page() -> list[str]:
    """Return the commands of docs/service.md, "Day by day", as they stand there."""
    text = SERVICE.read_text()
    section = text[text.index("## Day by day") : text.index("## Ready, alive, reload, stop")]
    (day,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [re.sub(r"\s+#.*", "", line) for line in day.splitlines()]


def test_a_day_in_the_life(machine: Machine) -> None:
    """Five images, one of them broken; the commands of docs/service.md, each as it stands."""
    assert machine.run("zssr-daemon --version").stdout.startswith("zssr-daemon ")
    before = machine.run("zssr-daemon status")
    assert (before.returncode, "not running" in before.stdout) == (1, True)
    check = machine.run("zssr-daemon check")
    assert (check.returncode, check.stderr) == (0, "")
    daemon = machine.start()
    try:
        wait_until(lambda: machine.run("zssr-daemon status").returncode == 0, "the start")
        for number in range(4):
            shutil.copy(DATA / "butterfly_lr.png", machine.srv / "inbox" / f"{number}.png")
        (machine.srv / "inbox" / "broken.png").write_text("no picture")
        wait_until(lambda: len(files(machine.srv / "archive")) == 4, "four outputs")
        wait_until(lambda: len(files(machine.srv / "failed")) == 2, "the broken one")
        follow_the_page(machine)
        assert daemon.wait(WAIT_S) == 0
    finally:
        daemon.kill()
        daemon.wait()
    what_is_left(machine)


def follow_the_page(machine: Machine) -> None:
    """Run its commands in their order; the broken file is mended before `retry`."""
    outputs = {}
    for command in commands_of_the_page():
        if "retry" in command:
            shutil.copy(DATA / "butterfly_lr.png", machine.srv / "failed" / "broken.png")
        done = machine.run(command)
        assert (done.returncode, done.stderr) == (0, ""), command
        outputs[command] = done.stdout
        if "retry" in command:
            wait_until(lambda: len(files(machine.srv / "archive")) == 5, "the mended one")
            wait_until(lambda: not machine.ask("zssr-daemon status --json")["jobs"], "rest")
    status, plain, failed, jobs, settings, retry, cancel, drain = outputs.values()
    assert "running" in status
    assert plain.split() == ['"running"', "0"]
    assert "unsupported_format" in failed
    assert "0.png" not in failed
    assert sorted(jobs.split()) == [f"{number}_x2.png" for number in range(4)]
    assert '"textfile"' in settings
    assert "broken.png: back in the inbox" in retry
    assert "no job of holiday is queued" in cancel
    assert "the daemon has ended" in drain


def what_is_left(machine: Machine) -> None:
    """Five outputs with their reports, nothing failed, metrics that say so, and a valid log."""
    names = [*(f"{number}_x2.png" for number in range(4)), "broken_x2.png"]
    reports = [f"{name}.report.html" for name in names]
    assert files(machine.srv / "output") == sorted(names + reports)
    assert files(machine.srv / "inbox") == []
    assert files(machine.srv / "failed") == []
    metrics = (machine.root / "zssr.prom").read_text()
    assert 'zssr_jobs_total{outcome="done",reason=""} 5.0' in metrics
    assert 'zssr_jobs_total{outcome="failed",reason="unsupported_format"} 1.0' in metrics
    assert 'zssr_jobs{state="failed"} 0.0' in metrics
    log = [json.loads(line) for line in (machine.root / "stdout.jsonl").read_text().splitlines()]
    for line in log:
        assert_valid(line)
    assert [line["event"] for line in log if line["event"].startswith("daemon")] == [
        "daemon_started",
        "daemon_stopping",
        "daemon_stopped",
    ]
    (query,) = re.findall(r"^journalctl .*? \| (jq .*)$", SERVICE.read_text(), re.M)
    failed = machine.run(f"{query} < stdout.jsonl").stdout
    assert [json.loads(line)["reason"] for line in failed.splitlines()] == ["unsupported_format"]
    after = machine.run("zssr-daemon status --json").stdout
    assert json.loads(after)["phase"] == "stopped"
