"""The worker process: short of memory, with a broken device, and killed between two steps."""

import json
import multiprocessing
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.parts.daemon_parts import wait_until
from tests.parts.picture_files import samples
from tests.parts.worker_parts import (
    answer_of,
    killed_at_part_begun,
    killed_at_part_written,
    order_for,
    order_of,
    ready_worker,
    worker_that_fails,
)
from zssr_daemon.errors import Reason
from zssr_daemon.protocol.messages import (
    WorkDone,
    WorkerBroken,
    WorkerLoaded,
    WorkFailed,
    WorkOrder,
)
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.worker.main import _begin
from zssr_daemon.zssr.config import ZSSRConfig

MIB = 1 << 20

# A hidden layer of 370 MB for a picture of 600 x 600, and of 287 MB for a tile of 512 x 512.
WIDE = ZSSRConfig(
    num_epochs=80,
    rounds=1,
    crop_size=16,
    model_width=256,
    model_depth=2,
    patch_size=1024,
    batch_size=2,
    self_ensemble=False,
    precision="fp32",
)


@pytest.fixture(autouse=True)
def freed_memory_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have children map each large block by itself, so that a freed one is free for any use.

    Else the heap keeps it, and a limit on the address space leaves nothing to what must be mapped.
    """
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", str(128 << 10))


@pytest.fixture
def worker() -> Iterator[ChildProcess]:
    """Start a worker that is ready."""
    worker = ready_worker()
    yield worker
    worker.kill()


@contextmanager
def short_of_memory(worker: ChildProcess, spare_bytes: int) -> Iterator[None]:
    """Let a worker have `spare_bytes` of address space more than now."""
    pages = int(Path(f"/proc/{worker.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + spare_bytes
    before = resource.prlimit(worker.pid, resource.RLIMIT_AS)
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(worker.pid, resource.RLIMIT_AS, before)


def blobs(folder: Path, side: int) -> Path:
    """Drop a picture with edges to learn from."""
    path = folder / f"{side}.png"
    blocks = samples(side // 4, side // 4, 3).repeat(4, axis=0).repeat(4, axis=1)
    Image.fromarray(blocks).save(path)
    return path


def test_worker_short_of_memory_makes_smaller_tiles(worker: ChildProcess, tmp_path: Path) -> None:
    """The job is done, and report and output tell with what."""
    order = order_of(blobs(tmp_path, 600), config=WIDE)
    assert isinstance(answer_of(worker, order_for(tmp_path)), WorkDone)  # has loaded everything
    with short_of_memory(worker, 270 * MIB):
        done = answer_of(worker, order)
    assert isinstance(done, WorkDone), done
    assert not done.report.is_fallback
    assert 16 <= done.report.patch_size < 512
    assert done.report.batch_size == 2
    with Image.open(order.part) as picture:
        assert isinstance(picture, Image.Image)
        assert json.loads(picture.info["zssr"])["patch_size"] == done.report.patch_size


@pytest.mark.parametrize(("side", "spare_bytes"), [(500, 0), (3000, 8 * MIB)])
def test_worker_without_memory_fails_the_job_and_lives(
    worker: ChildProcess, tmp_path: Path, side: int, spare_bytes: int
) -> None:
    """In the decoder as in the fit: the job may be tried again, and the next one goes well."""
    order = order_of(blobs(tmp_path, side), config=WIDE)
    assert isinstance(answer_of(worker, order_for(tmp_path)), WorkDone)
    with short_of_memory(worker, spare_bytes):
        failed = answer_of(worker, order)
    assert isinstance(failed, WorkFailed)
    assert (failed.reason, failed.is_retryable) == ("out_of_memory", True)
    assert isinstance(answer_of(worker, order_for(tmp_path)), WorkDone)
    assert worker.is_alive


def test_worker_ends_with_its_device(tmp_path: Path) -> None:
    """The context is lost: it tells the failure, which may be tried again, and exits."""
    error = torch.AcceleratorError("CUDA error: out of memory")
    worker = ready_worker(worker_that_fails, error)
    failed = answer_of(worker, order_for(tmp_path))
    assert failed == WorkFailed(
        job_id="job",
        reason=Reason.DEVICE_ERROR,
        message=str(error),
        is_retryable=True,
        ends_worker=True,
    )
    assert worker.join(60.0)
    assert worker.exit_code == 0


def test_worker_outlives_other_errors(tmp_path: Path) -> None:
    """Neither memory nor a fault of ours harms the device."""
    memory = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    ours = RuntimeError("shapes cannot be multiplied")
    worker = ready_worker(worker_that_fails, memory, memory, ours, ours)
    for reason in ("out_of_memory", "out_of_memory", "internal_error", "internal_error"):
        failed = answer_of(worker, order_for(tmp_path))
        assert isinstance(failed, WorkFailed)
        assert (failed.reason, failed.is_retryable) == (reason, True)
    assert worker.is_alive
    worker.kill()


@pytest.mark.parametrize("device", ["cuda:99", "nonsense", "auto:x", ""])
def test_device_that_is_not_there(device: str) -> None:
    """The worker says so, with torch's own words, and does not begin to serve."""
    ours, theirs = multiprocessing.Pipe()
    assert _begin(theirs, device, 1, 0.5) is None
    assert isinstance(ours.recv(), WorkerLoaded)
    broken = ours.recv()
    assert isinstance(broken, WorkerBroken)
    assert broken.message


def dead_after(worker: ChildProcess, order: WorkOrder) -> Path:
    """Let a worker die of an order; return where its output is."""
    worker.send(order)
    wait_until(lambda: not worker.is_alive, "the worker's end")
    assert not any(isinstance(message, WorkDone) for message in worker.received())
    return Path(order.part)


def test_failpoints_stand_where_they_say(tmp_path: Path) -> None:
    """The part is there and empty, or it is whole and no answer was sent."""
    part = dead_after(ready_worker(killed_at_part_begun), order_for(tmp_path))
    assert part.read_bytes() == b""
    part = dead_after(ready_worker(killed_at_part_written), order_for(tmp_path))
    with Image.open(part) as picture:
        picture.load()
        assert picture.size == (24, 20)
