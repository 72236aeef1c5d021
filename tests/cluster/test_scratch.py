"""The folder of an attempt on a node's own disk."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.worker_parts import order_for
from zssr_daemon.cluster.scratch import Scratch, SourceCopy
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.file_identity import FileIdentity


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return one in a folder of its own, where a killed process has left another."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "zssr-node-999999999-x" / "inbox").mkdir(parents=True)
    (tmp_path / f"zssr-node-{os.getppid()}-y").mkdir()
    return Scratch()


def taken(scratch: Scratch, order: WorkOrder) -> WorkOrder:
    """Hand an order and three bytes of source over."""
    return scratch.take(order, SourceCopy(content=b"abc", mode=0o640))


def test_what_a_killed_worker_left_is_removed(scratch: Scratch, tmp_path: Path) -> None:
    """What a living one has stays."""
    pids = {int(path.name.split("-")[2]) for path in tmp_path.glob("zssr-node-*")}
    assert pids == {os.getpid(), os.getppid()}


def test_the_order_leads_to_the_copy(scratch: Scratch, tmp_path: Path) -> None:
    """Its name, its part's name and its permissions stay; the worker reads it as any source."""
    order = replace(order_for(tmp_path), src_rel="box/ä \udcff.png", report_path="/far/.x.report")
    here = taken(scratch, order)
    source = Path(here.inbox) / here.src_rel
    assert here.src_rel == order.src_rel
    assert (source.read_bytes(), source.stat().st_mode & 0o777) == (b"abc", 0o640)
    assert here.identity == FileIdentity.from_stat(source.stat())
    assert Path(here.part).name == Path(order.part).name
    assert here.report_path is not None
    assert Path(here.report_path).parent == Path(here.part).parent


def test_one_order_finds_nothing_of_the_last(scratch: Scratch, tmp_path: Path) -> None:
    """Its files are described, handed over in pieces, and gone with the next order."""
    order = order_for(tmp_path)
    Path(taken(scratch, order).part).write_bytes(b"result")
    (file,) = scratch.files()
    assert (file.name, file.size_bytes) == (Path(order.part).name, 6)
    assert scratch.chunk(file.name, 2) == b"sult"
    taken(scratch, order)
    assert scratch.files() == []
