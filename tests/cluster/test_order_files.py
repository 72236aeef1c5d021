"""The gateway's side of an order: which files a node may hand over, and how they are written."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.work_reports import report_of
from tests.parts.worker_parts import order_for
from zssr_daemon.cluster.order_files import Results
from zssr_daemon.cluster.scratch import ResultFile
from zssr_daemon.errors import Reason, TransientError
from zssr_daemon.protocol.messages import WorkDone, WorkOrder

SHA256 = "a" * 64
JOB = "0" * 32
PART = f".{JOB}.1.part"


@pytest.fixture
def order(tmp_path: Path) -> WorkOrder:
    """Return an order whose part has a name of the daemon's."""
    return replace(order_for(tmp_path), part=str(tmp_path / PART))


def results_of(order: WorkOrder, frames: int = 1, source_mode: int = 0o644) -> Results:
    """Return where the results of an order belong."""
    done = WorkDone(job_id=order.job_id, out_sha256=SHA256, report=report_of(), frames=frames)
    return Results(order, done, source_mode)


def offer(*names: str) -> list[ResultFile]:
    """Return what a node offers under these names."""
    return [ResultFile(name=name, size_bytes=3, sha256=SHA256) for name in names]


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        ([PART], 1),
        ([PART, f".{JOB}.1.report", f".{JOB}.1.kernel_npy", f".{JOB}.1.kernel_png"], 1),
        ([f".{JOB}.1.0.part", f".{JOB}.1.0.kernel_npy", f".{JOB}.1.1.part", PART], 3),
    ],
)
def test_files_of_the_order_are_accepted(order: WorkOrder, names: list[str], frames: int) -> None:
    """A part for each frame, and companions of each."""
    offered = offer(*names)
    assert results_of(order, frames).accepted(offered) == offered


@pytest.mark.parametrize(
    ("names", "frames"),
    [
        ([], 1),
        ([PART, "a_x2.png"], 1),
        ([PART, f"../{PART}"], 1),
        ([PART, PART], 1),
        ([PART, f".{JOB}.2.part"], 1),
        ([PART, f".{JOB}.1.0.part"], 1),
        ([PART], 2),
    ],
)
def test_other_files_are_refused(order: WorkOrder, names: list[str], frames: int) -> None:
    """A node chooses neither names nor how many there are; another attempt may be better."""
    with pytest.raises(TransientError) as caught:
        results_of(order, frames).accepted(offer(*names))
    assert caught.value.reason == Reason.OUTPUT_INVALID


def test_a_part_that_is_not_what_the_worker_verified_is_refused(order: WorkOrder) -> None:
    """Its disk may have spoilt it."""
    offered = [replace(file, sha256="b" * 64) for file in offer(PART)]
    with pytest.raises(TransientError, match="spoilt on the node's disk"):
        results_of(order).accepted(offered)


@pytest.mark.parametrize("pieces", [[b"abcd"], [b"ab", b""]])
def test_more_or_less_than_was_offered_is_refused(order: WorkOrder, pieces: list[bytes]) -> None:
    """So a node cannot fill the disk."""
    refused = pytest.raises(TransientError, match="not as long")
    with results_of(order).sink(offer(PART)[0]) as sink, refused:
        for piece in pieces:
            sink.write(piece)


@pytest.mark.parametrize(("source_mode", "mode"), [(0o600, 0o600), (0o640, 0o640), (0o644, 0o644)])
def test_outputs_are_as_private_as_the_source(
    order: WorkOrder, source_mode: int, mode: int
) -> None:
    """As those of a local worker; a file that a dead attempt left, or a link, is replaced."""
    Path(order.part).symlink_to("elsewhere")
    results = results_of(order, source_mode=source_mode)
    with results.sink(offer(PART)[0]) as sink:
        sink.write(b"abc")
    assert Path(order.part).read_bytes() == b"abc"
    assert Path(order.part).lstat().st_mode & 0o777 == mode
