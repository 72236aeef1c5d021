"""The entry point: a fault nobody foresaw is told of, with an exit code of its own."""

import json
import subprocess
import sys
from pathlib import Path

FAULTY = """
import sys
from zssr_daemon import __main__
from zssr_daemon.cli import commands
from zssr_daemon.telemetry import logs

def run_daemon(*_args, **_keys):
    logs.configure(logs.LogSettings())
    raise RuntimeError("nobody foresaw this")

commands.run_daemon = run_daemon
sys.argv = ["zssr-daemon", "run"]
__main__.main()
"""


def test_internal_error_is_logged_and_exits_with_70(tmp_path: Path) -> None:
    """The log line has the exception, structured; the exit code tells it from a job's failure."""
    (tmp_path / "settings.toml").touch()
    done = subprocess.run(
        [sys.executable, "-c", FAULTY], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 70
    line = json.loads(done.stdout)
    assert (line["event"], line["level"]) == ("internal_error", "critical")
    assert line["exception"][0]["exc_value"] == "nobody foresaw this"
