"""Provenance: where a bench's numbers come from, and where they are kept."""

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def provenance() -> dict[str, Any]:
    """Return machine, versions, commit and date."""
    return {
        "machine": cpu_name(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def save(report: dict[str, Any], name: str) -> None:
    """Write a result to bench/results/, and print where it is."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / name
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {path.relative_to(RESULTS.parents[1])}")


def commit() -> str | None:
    """Return the short hash of the commit; None outside a clone."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=RESULTS.parent,
    )
    return done.stdout.strip() or None


def cpu_name() -> str:
    """Return the name of the processor, as Linux reports it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
