"""Control group: limits and kills are read wherever the kernel keeps them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.daemon_parts import wait_until
from zssr_daemon.system.cgroup import cpu_quota, memory_bytes, oom_kills

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

V2 = {
    "proc/self/cgroup": "0::/system.slice/zssr.service\n",
    "sys/fs/cgroup/system.slice/zssr.service/memory.events": "oom 9\noom_kill 3\n",
    "sys/fs/cgroup/system.slice/zssr.service/memory.max": "1000000\n",
    "proc/vmstat": "nr_free_pages 1\noom_kill 77\n",
}
V1 = {
    "proc/self/cgroup": "4:cpu,memory:/zssr\n0::/\n",
    "sys/fs/cgroup/memory/zssr/memory.oom_control": "oom_kill_disable 0\noom_kill 4\n",
    "sys/fs/cgroup/memory/zssr/memory.limit_in_bytes": "2000000\n",
    "proc/vmstat": "oom_kill 77\n",
}
UNLIMITED = {
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/memory.max": "max\n",
    "proc/vmstat": "oom_kill 77\n",
}


SLICE = "sys/fs/cgroup/system.slice"
GROUP = f"{SLICE}/zssr.service"


def cpu_v1(group: str, quota_us: int) -> dict[str, str]:
    """Return the files of a group of version 1 with a quota."""
    folder = f"sys/fs/cgroup/cpu/{group}"
    return {f"{folder}cpu.cfs_quota_us": f"{quota_us}\n", f"{folder}cpu.cfs_period_us": "100000\n"}


def put(root: Path, files: dict[str, str]) -> None:
    """Write files of the kernel below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "kills", "limit_bytes"),
    [(V2, 3, 1_000_000), (V1, 4, 2_000_000), (UNLIMITED, 77, MACHINE), ({}, 0, MACHINE)],
)
def test_files_of_the_kernel(
    tmp_path: Path, files: dict[str, str], kills: int, limit_bytes: int
) -> None:
    """Our own group's counter comes before the machine's; where there is none, the count is 0."""
    put(tmp_path, files)
    assert oom_kills(tmp_path) == kills
    assert memory_bytes(tmp_path) == limit_bytes


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        pytest.param(V2, None, id="no file"),
        pytest.param(V2 | {f"{GROUP}/cpu.max": "max 100000\n"}, None, id="no limit"),
        pytest.param(V2 | {f"{GROUP}/cpu.max": "150000 100000\n"}, 1.5, id="ours"),
        pytest.param(
            V2 | {f"{GROUP}/cpu.max": "400000 100000\n", f"{SLICE}/cpu.max": "100000 50000\n"},
            2.0,
            id="the group above has less",
        ),
        pytest.param(UNLIMITED | {"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 0.5, id="container"),
        pytest.param(V1 | cpu_v1("zssr/", 300000), 3.0, id="version 1"),
        pytest.param(V1 | cpu_v1("zssr/", -1), None, id="version 1, no limit"),
        pytest.param(V1 | cpu_v1("", 200000), 2.0, id="version 1, container"),
    ],
)
def test_quota_of_processors(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    """The smallest quota of our group and those above it counts, in both versions."""
    put(tmp_path, files)
    assert cpu_quota(tmp_path) == quota


def test_this_machine_can_be_read() -> None:
    """The real machine has some memory, and can be asked."""
    assert oom_kills() >= 0
    assert 0 < memory_bytes() <= MACHINE


_SUPERVISOR = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.parts import worker_parts
from zssr_daemon.executor import local_worker
from zssr_daemon.executor.interface import WorkerEnded

if __name__ == "__main__":
    Path(sys.argv[2], "cgroup.procs").write_text("0")
    local_worker.worker_main = worker_parts.hungry_worker
    executor = worker_parts.executor_on("cpu")
    worker_parts.submit(executor, worker_parts.order_for(Path(sys.argv[3]), "hungry"))
    for event in worker_parts.events_until(executor, WorkerEnded):
        if isinstance(event, WorkerEnded):
            print(event.reason, event.job_id)
    executor.cancel_all(is_urgent=lambda: True)
"""


@pytest.fixture
def small_group() -> Iterator[Path]:
    """Make a control group of 600 MB, where that is allowed."""
    group = Path(f"/sys/fs/cgroup/memory/zssr-test-{os.getpid()}")
    try:
        group.mkdir()
        for limit in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            (group / limit).write_text(str(600_000_000))
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    yield group
    # multiprocessing's own helper ends only after those it helped.
    wait_until(lambda: is_removed(group), "the group to be empty")


def is_removed(group: Path) -> bool:
    """Remove a control group, unless some process is still in it."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True


def test_kernel_kills_a_hungry_worker(tmp_path: Path, small_group: Path) -> None:
    """A worker that the kernel kills ends with `oom`, and its job's attempt has failed."""
    script = tmp_path / "supervisor.py"
    script.write_text(_SUPERVISOR)
    done = subprocess.run(
        [sys.executable, script, Path(__file__).parents[2], small_group, tmp_path],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "oom hungry\n"
