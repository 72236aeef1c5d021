"""Access and times: nobody sees an output whom its source is closed to; its time can be kept."""

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.picture_files import smooth_picture
from tests.parts.worker_parts import order_of
from zssr_daemon.protocol.attempt_files import companion_part, frame_part, part_rel
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.worker.source_file import as_private_as_source

ENLARGER = Enlarger("cpu", 1)


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    """Take a umask that hides nothing but writing by others."""
    before = os.umask(0o002)
    yield
    assert os.umask(before) == 0o002


def ordered(folder: Path, mode: int = 0o644) -> WorkOrder:
    """Drop two pages of that mode, and order them with a report."""
    path = folder / "a.tif"
    smooth_picture(12, 10).save(path, save_all=True, append_images=[smooth_picture(10, 12)])
    path.chmod(mode)
    os.utime(path, ns=(1, 1_234_567_890_123_456_700))
    order = order_of(path)
    part = folder / part_rel("", "0" * 32, 1)
    return replace(
        order,
        part=str(part),
        report_path=str(companion_part(part, REPORT)),
        limits=replace(order.limits, each_frame=True),
    )


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o600, 0o600),
        (0o640, 0o640),
        (0o644, 0o644),
        (0o666, 0o664),
        (0o777, 0o664),
        (0o400, 0o600),
    ],
)
def test_output_is_as_private_as_its_source(tmp_path: Path, mode: int, expected: int) -> None:
    """Every page, and the report; the umask counts too, and the daemon itself may always."""
    order = ordered(tmp_path, mode)
    enlarge_file(ENLARGER, order, lambda _: None)
    made = [order.part, frame_part(order.part, 0), order.report_path or ""]
    assert [stat.S_IMODE(Path(path).stat().st_mode) for path in made] == [expected] * 3


def test_private_from_the_first_byte(tmp_path: Path) -> None:
    """Not only when it is whole."""
    order = ordered(tmp_path, 0o600)
    with as_private_as_source(order):
        (tmp_path / "part").touch()
    assert stat.S_IMODE((tmp_path / "part").stat().st_mode) == 0o600


def test_source_that_is_gone_counts_as_closed(tmp_path: Path) -> None:
    """What is wrong with it is told when it is read."""
    order = replace(ordered(tmp_path), src_rel="gone.tif")
    with as_private_as_source(order):
        (tmp_path / "part").touch()
    assert stat.S_IMODE((tmp_path / "part").stat().st_mode) == 0o600


@pytest.mark.parametrize("is_kept", [True, False])
def test_modification_time(tmp_path: Path, is_kept: bool) -> None:
    """To the nanosecond, of every page; or now."""
    order = ordered(tmp_path)
    mtime_ns = order.identity.mtime_ns
    order = replace(order, mtime_ns=mtime_ns if is_kept else None)
    enlarge_file(ENLARGER, order, lambda _: None)
    for path in (order.part, frame_part(order.part, 0)):
        assert (Path(path).stat().st_mtime_ns == mtime_ns) is is_kept


def test_time_that_is_refused_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some shares do; the output is worth more."""
    order = replace(ordered(tmp_path), mtime_ns=5)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "utime", refuse)
    done = enlarge_file(ENLARGER, order, lambda _: None)
    assert "modification time not kept (Operation not permitted)" in (done.report.note or "")
