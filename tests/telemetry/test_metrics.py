"""Metrics: the published names and true values; alert rules and dashboard fit them."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.parts.tools import tool
from zssr_daemon.telemetry.metrics import FileResult, Metrics, Outcome
from zssr_daemon.telemetry.status import JobStatus, PauseStatus, Status, WorkerStatus

MONITORING = Path(__file__).parent.parent.parent / "contrib" / "monitoring"

#: Names and labels that rules and dashboards rely on.
PUBLISHED = {
    "zssr_build_info": {"version", "torch", "cuda"},
    "zssr_files_seen_total": {"result"},
    "zssr_jobs_total": {"outcome", "reason"},
    "zssr_jobs": {"state"},
    "zssr_oldest_queued_timestamp_seconds": set(),
    "zssr_last_success_timestamp_seconds": set(),
    "zssr_last_scan_timestamp_seconds": set(),
    "zssr_scan_duration_seconds": set(),
    "zssr_job_duration_seconds_bucket": {"stage", "le"},
    "zssr_job_duration_seconds_sum": {"stage"},
    "zssr_job_duration_seconds_count": {"stage"},
    "zssr_watch_backend": {"backend"},
    "zssr_watch_restarts_total": set(),
    "zssr_worker_restarts_total": {"reason"},
    "zssr_workers": {"node", "state"},
    "zssr_paused": {"reason"},
    "zssr_disk_free_bytes": {"folder"},
    "zssr_gpu_memory_peak_bytes": set(),
    "zssr_job_progress_ratio": set(),
}


@pytest.fixture
def text(tmp_path: Path) -> str:
    """Return the file of a daemon to which everything has happened."""
    metrics = Metrics(tmp_path / "zssr.prom", {"inbox": tmp_path, "output": tmp_path / "gone"})
    metrics.file_seen(FileResult.READY)
    metrics.job_ended(Outcome.DONE)
    metrics.job_ended(Outcome.FAILED, "corrupt")
    metrics.job_took({"decode": 0.5, "fit": 9.0, "infer": 2.0, "encode": 0.1}, 11.6, 5)
    metrics.worker_ready("2.14.1+cu128")
    metrics.worker_restarted("silent")
    metrics.watch_restarted(2)
    status = Status(
        version="1",
        phase="paused",
        pid=1,
        started_at=1.0,
        faults=(),
        pause=PauseStatus(reason="disk_full", message="m", since=1.0),
        workers=tuple(
            WorkerStatus(device="cpu", node=node, is_ready=is_ready, is_well=True, silent_for_s=0.0)
            for node, is_ready in (("", True), ("node7", True), ("node7", True), ("node7", False))
        ),
        jobs=tuple(
            JobStatus(job_id="j", image="secret.png", attempt=1, started_at=1.0, fraction=fraction)
            for fraction in (0.25, 0.75)
        ),
        settling=3,
        passed_over=0,
        queued=4,
        failed=5,
        oldest_queued_at=1000.0,
        last_scan_at=2000.0,
        watch="events",
    )
    metrics.write(status, scan_took_s=0.25, publishing=1)
    return (tmp_path / "zssr.prom").read_text()


def test_list_is_as_published(text: str) -> None:
    """There are exactly the published names and labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    assert found == PUBLISHED


@pytest.mark.parametrize(
    "line",
    [
        'zssr_build_info{cuda="cu128",torch="2.14.1",version="',
        'zssr_files_seen_total{result="ready"} 1.0',
        'zssr_files_seen_total{result="unsafe"} 0.0',
        'zssr_jobs_total{outcome="failed",reason="corrupt"} 1.0',
        'zssr_jobs{state="settling"} 3.0',
        'zssr_jobs{state="running"} 2.0',
        'zssr_jobs{state="publishing"} 1.0',
        "zssr_oldest_queued_timestamp_seconds 1000.0",
        'zssr_job_duration_seconds_bucket{le="10.0",stage="fit"} 1.0',
        'zssr_job_duration_seconds_bucket{le="5.0",stage="fit"} 0.0',
        "zssr_watch_restarts_total 2.0",
        'zssr_worker_restarts_total{reason="timeout"} 1.0',
        'zssr_workers{node="",state="ready"} 1.0',
        'zssr_workers{node="node7",state="ready"} 2.0',
        'zssr_workers{node="node7",state="starting"} 1.0',
        'zssr_paused{reason="disk_full"} 1.0',
        'zssr_paused{reason="device_lost"} 0.0',
        'zssr_disk_free_bytes{folder="inbox"}',
        "zssr_gpu_memory_peak_bytes 5.0",
        "zssr_job_progress_ratio 0.5",
    ],
)
def test_values(text: str, line: str) -> None:
    """Each value says what has happened."""
    assert f"\n{line}" in text


def test_nothing_names_a_file(text: str) -> None:
    """No label holds the name of a file."""
    assert "secret" not in text


def test_folder_that_is_gone_is_left_out(text: str) -> None:
    """A missing folder has no free space; the last success is a moment of just now."""
    assert 'folder="output"' not in text
    (moment,) = re.findall(r"^zssr_last_success_timestamp_seconds (\S+)", text, re.MULTILINE)
    assert 0 <= time.time() - float(moment) < 600


def test_file_that_cannot_be_written(tmp_path: Path) -> None:
    """The caller gets the system's error; where no file is set, nothing is written."""
    with pytest.raises(FileNotFoundError):
        Metrics(tmp_path / "gone" / "zssr.prom").write(NOTHING, scan_took_s=0.0, publishing=0)
    Metrics().write(NOTHING, scan_took_s=0.0, publishing=0)
    assert list(tmp_path.iterdir()) == []


NOTHING = Status(
    version="1",
    phase="starting",
    pid=1,
    started_at=1.0,
    faults=(),
    pause=None,
    workers=(),
    jobs=(),
    settling=0,
    passed_over=0,
    queued=0,
    failed=0,
    oldest_queued_at=None,
    last_scan_at=None,
    watch="scan",
)


def test_rules_and_dashboard_use_published_names() -> None:
    """Rules and dashboard ask for no name that is not published."""
    files = ["zssr-daemon.rules.yml", "zssr-daemon.dashboard.json"]
    for file in files:
        asked = set(re.findall(r"\bzssr_\w+", (MONITORING / file).read_text()))
        assert asked <= set(PUBLISHED), file
    panels = json.loads((MONITORING / files[1]).read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 5


def test_promtool_takes_the_metrics(text: str) -> None:
    """The linter of Prometheus finds no fault."""
    command = [tool("promtool", package="prometheus"), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("what", [("check", "rules", "rules"), ("test", "rules", "test")])
def test_promtool_takes_the_rules(what: tuple[str, str, str]) -> None:
    """The rules are well-formed, and fire when they should and only then."""
    verb, noun, file = what
    done = subprocess.run(
        [tool("promtool", package="prometheus"), verb, noun, f"zssr-daemon.{file}.yml"],
        cwd=MONITORING,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
