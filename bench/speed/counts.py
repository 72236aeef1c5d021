"""Counts: how often one job of one image has settings validated and folders scanned.

python -m bench.speed.counts

`run --once` works off an empty inbox, then an inbox with one image; the difference is what the job
costs. Only the supervisor is counted. The periodic scan is as good as off, so that the counts do
not depend on the speed of the machine.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.speed import counted_daemon
from tests.parts.daemon_process import DATA, DaemonProcess, prepare

_ROOT = Path(__file__).resolve().parents[2]
_SCAN_INTERVAL_S = 60.0


def main() -> None:
    """Count without an image, with one, and with one that has a profile; print the table."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    columns = {
        "no image": count(images=0),
        "one image": count(images=1),
        "one image with a profile": count(images=1, profile="[zssr]\nseed = 1\n"),
    }
    show(columns)


def count(*, images: int, profile: str = "") -> dict[str, int]:
    """Run the daemon once in a folder of its own, and return what its supervisor counted."""
    with tempfile.TemporaryDirectory(prefix="zssr-counts-") as folder:
        root = Path(folder).resolve()
        inbox = prepare(root)
        settings = root / "settings.toml"
        text = settings.read_text()
        settings.write_text(
            text.replace("scan_interval_s = 0.5", f"scan_interval_s = {_SCAN_INTERVAL_S}")
        )
        for number in range(images):
            shutil.copy(DATA / "butterfly_lr.png", inbox / f"{number}.png")
            if profile:
                (inbox / f"{number}.toml").write_text(profile)
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        command = ("-m", counted_daemon.__name__)
        environment = {"PYTHONPATH": os.pathsep.join(paths)}
        with DaemonProcess(root, "--once", command=command, environment=environment) as daemon:
            assert daemon.exit_code() == 0
        counts: dict[str, int] = json.loads((root / counted_daemon.COUNTS).read_text())
        return counts


def show(columns: dict[str, dict[str, int]]) -> None:
    """Print one line for each thing counted, one column for each run."""
    table = Table("", *columns)
    validations = {name: f"{name} validated" for name in counted_daemon.MODELS}
    scans = {name: f"{name} scanned" for name in counted_daemon.FOLDERS}
    for key, label in (validations | scans).items():
        table.add_row(label, *(str(counts.get(key, 0)) for counts in columns.values()))
    all_scans = (
        sum(counts.get(name, 0) for name in counted_daemon.FOLDERS) for counts in columns.values()
    )
    table.add_row("all five scanned", *map(str, all_scans))
    Console().print(table)


if __name__ == "__main__":
    main()
