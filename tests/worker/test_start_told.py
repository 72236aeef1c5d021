"""Starts in a worker: which one a fit begins with, and where it is told."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.parts.starts import add_start, ship, unfitted
from tests.parts.tiny_settings import TINY
from tests.parts.worker_parts import order_for
from zssr_daemon.errors import JobError
from zssr_daemon.protocol.messages import WorkDone, WorkOrder
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.worker.report import _result
from zssr_daemon.worker.start_store import WeightsStore
from zssr_daemon.zssr.training.weights import compatibility_key

#: A rate at which any fit of few iterations is alive or gives the start back.
CONFIG = replace(TINY, lr=1e-5)


@pytest.fixture
def sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Ship a start that is as good as bicubic, so that no fit refuses it; return its hash."""
    weights = unfitted(CONFIG)
    for value in weights.state.values():
        value.zero_()
    sha256 = add_start(tmp_path / "weights", weights)
    ship(monkeypatch, tmp_path / "weights")
    return sha256


def enlarged(order: WorkOrder) -> WorkDone:
    """Do the work of an order in this process."""
    return enlarge_file(Enlarger("cpu", 1), order, lambda _: None)


def metadata(order: WorkOrder) -> dict[str, object]:
    """Return the parameters that an output names."""
    with Image.open(order.part) as image:
        parameters: dict[str, object] = json.loads(image.info["zssr"])
    return parameters


def test_output_and_report_name_the_drawn_start(tmp_path: Path, sha256: str) -> None:
    """By its name and the hash of its file; people get the first digits."""
    order = order_for(tmp_path, config=CONFIG)
    report = enlarged(order).report
    assert (report.start, report.start_sha256) == ("tiny", sha256)
    told = metadata(order)
    assert (told["start"], told["start_sha256"]) == ("tiny", sha256)
    assert told["warm_start_sha256"] is None
    assert ("fit began with", f"tiny, sha256 {sha256[:12]}") in _result(report)


def test_chance_is_told_too(tmp_path: Path, sha256: str) -> None:
    """Where no start is wanted, nothing names one."""
    order = order_for(tmp_path, config=replace(CONFIG, start="none"))
    report = enlarged(order).report
    assert (report.start, report.start_sha256) == (None, None)
    assert sha256 not in json.dumps(metadata(order))
    assert ("fit began with", "chance") in _result(report)


def test_folder_begins_with_the_drawn_start_and_goes_on(tmp_path: Path, sha256: str) -> None:
    """The first image begins as drawn, the second with what the first taught."""
    folder = tmp_path / "taught"
    config = replace(CONFIG, start="folder")
    order = replace(order_for(tmp_path, config=config), weights_folder=str(folder))
    first = enlarged(order).report
    assert (first.start, first.start_sha256) == ("tiny", sha256)
    kept = WeightsStore(folder).newest(compatibility_key(config, 3))
    assert kept is not None
    second = enlarged(order).report
    assert (second.start, second.start_sha256) == ("folder", kept.sha256)
    assert metadata(order)["warm_start_sha256"] == kept.sha256


@pytest.mark.usefixtures("sha256")
def test_same_start_gives_the_same_file(tmp_path: Path) -> None:
    """Byte by byte, since nothing in the output tells of times."""
    order = order_for(tmp_path, config=CONFIG)
    assert enlarged(order).out_sha256 == enlarged(order).out_sha256


@pytest.mark.usefixtures("sha256")
def test_damaged_start_fails_the_job(tmp_path: Path) -> None:
    """At once and with a reason of its own: the next attempt would meet it too."""
    (tmp_path / "weights" / "tiny.safetensors").write_bytes(b"damaged")
    with pytest.raises(JobError, match=r"tiny is damaged.*install the program again") as caught:
        enlarged(order_for(tmp_path, config=CONFIG))
    assert (caught.value.reason, caught.value.is_retryable) == ("bad_start", False)
