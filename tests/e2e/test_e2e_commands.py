"""The other commands, as a user types them."""

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.parts.daemon_process import DATA, QUICK_ZSSR, DaemonProcess, command, files, prepare

pytestmark = pytest.mark.e2e

BUTTERFLY = DATA / "butterfly_lr.png"


def test_upscale_writes_beside_the_image_and_overwrites_nothing(tmp_path: Path) -> None:
    """The first call writes the result; the second says that it is there, and touches nothing."""
    prepare(tmp_path)
    shutil.copy(BUTTERFLY, tmp_path / "b.png")
    first = command(tmp_path, "upscale", "b.png")
    assert (first.returncode, first.stderr) == (0, "")
    with Image.open(tmp_path / "b_x2.png") as result:
        assert result.size == (256, 256)
    before = (tmp_path / "b_x2.png").stat()
    second = command(tmp_path, "upscale", "b.png")
    assert second.returncode == 1
    assert "output_exists" in second.stderr
    assert (tmp_path / "b_x2.png").stat() == before


def test_upscale_goes_on_after_a_bad_image(tmp_path: Path) -> None:
    """One bad image gives exit code 1 and the good one is done; -o names a folder for several."""
    prepare(tmp_path)
    shutil.copy(BUTTERFLY, tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("no picture")
    done = command(tmp_path, "upscale", "bad.png", "good.png", "-o", "results", "--scale", "1.5")
    assert done.returncode == 1
    assert "bad.png: unsupported_format" in done.stderr
    assert files(tmp_path / "results") == ["good_x1.5.png"]


def test_check_says_what_is_wrong_and_how_to_mend_it(tmp_path: Path) -> None:
    """A good set-up exits with 0; a device that is not there is named, with a cure."""
    prepare(tmp_path)
    good = command(tmp_path, "check")
    assert (good.returncode, good.stderr) == (0, "")
    text = (tmp_path / "settings.toml").read_text()
    (tmp_path / "settings.toml").write_text(text.replace('["cpu"]', '["cuda:99"]'))
    bad = command(tmp_path, "check")
    assert bad.returncode == 1
    assert "FAIL device cuda:99" in bad.stdout
    assert "[worker] devices" in bad.stdout


def test_jobs_lists_what_became_of_each_image(tmp_path: Path) -> None:
    """Done and failed jobs are listed with output or reason, as a table and as JSON lines."""
    inbox = prepare(tmp_path)
    shutil.copy(BUTTERFLY, inbox / "good.png")
    (inbox / "bad.png").write_text("no picture")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
    rows = [json.loads(line) for line in command(tmp_path, "jobs", "--json").stdout.splitlines()]
    told = {row["src_rel"]: (row["state"], row["out_rel"], row["reason"]) for row in rows}
    assert told == {
        "good.png": ("done", "good_x2.png", None),
        "bad.png": ("failed", None, "unsupported_format"),
    }
    failed = command(tmp_path, "jobs", "--state", "failed")
    assert "bad.png" in failed.stdout
    assert "good.png" not in failed.stdout
    (row,) = (row for row in rows if row["state"] == "done")
    one = json.loads(command(tmp_path, "jobs", row["id"][:8], "--json").stdout)
    assert one.pop("settings")["zssr"]["num_epochs"] == 20
    assert one == row


def test_terminal_shows_bars_and_readable_lines(tmp_path: Path) -> None:
    """On a terminal the events are not JSON, and a bar shows stage and time left."""
    shutil.copy(BUTTERFLY, prepare(tmp_path, QUICK_ZSSR.replace("= 20", "= 600")) / "b.png")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "zssr_daemon", "run", "--once"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        while True:
            try:
                shown += terminal.read(65536)
            except OSError:  # the other end is closed
                break
    assert process.wait() == 0
    assert b"job_done" in shown
    assert b'"event"' not in shown
    assert b"left" in shown
    assert b"fit " in shown


def test_upscale_options_are_those_of_the_settings(tmp_path: Path) -> None:
    """A folder, a size, a format and other keys; a report that fails says so on stderr alone."""
    prepare(tmp_path)
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    shutil.copy(BUTTERFLY, tmp_path / "photos" / "sub" / "b.png")
    options = ("--size", "200x300", "--format", "tif", "--report", "--set", "zssr.num_epochs=5")
    done = command(tmp_path, "upscale", "photos", "-", "-o", "results", *options, "--no-auto")
    assert done.returncode == 1
    assert done.stderr.startswith("-: standard input is not read")
    assert files(tmp_path / "results") == ["sub/b_x1.56.tif", "sub/b_x1.56.tif.report.html"]
    with Image.open(tmp_path / "results" / "sub" / "b_x1.56.tif") as result:
        assert result.size == (200, 200)
    again = command(tmp_path, "upscale", "photos", "results", *options)
    assert again.stdout.count("passed over, for it is an output of this program") == 1
