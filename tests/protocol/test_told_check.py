"""ToldCheck: what names, labels and waits are made of is believed only within bounds."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.parts.fake_executor import good
from tests.parts.worker_parts import order_for, sign_of_life
from zssr_daemon.protocol.messages import WorkDone, WorkerLoaded
from zssr_daemon.protocol.told_check import fault_of


@pytest.fixture
def done(tmp_path: Path) -> WorkDone:
    """Return what a good worker says at the end."""
    (done,) = good(order_for(tmp_path))
    assert isinstance(done, WorkDone)
    return done


def test_what_workers_say_passes(done: WorkDone, tmp_path: Path) -> None:
    """All formats, and all of a fit's numbers."""
    for suffix in (".png", ".tif", ".jpg", ".webp"):
        assert fault_of(replace(done, suffix=suffix, frames=500)) is None
    report = replace(done.report, psnr_network_db=math.inf, seconds={})
    assert fault_of(replace(done, report=report)) is None
    assert fault_of(sign_of_life(order_for(tmp_path), patience_s=800.0)) is None
    assert fault_of(WorkerLoaded()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"suffix": ""},
        {"suffix": ".exe"},
        {"suffix": "/../x.png"},
        {"out_sha256": "../x"},
        {"out_sha256": "A" * 64},
        {"frames": 0},
        {"frames": 10**9},
        {"seconds": {"fit": 1.0, "lunch": 1.0}},
        {"seconds": {"fit": math.nan}},
    ],
)
def test_end_that_cannot_be(done: WorkDone, change: dict[str, Any]) -> None:
    """The fault names the value."""
    if "seconds" in change:
        change = {"report": replace(done.report, **change)}
    assert fault_of(replace(done, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"fraction": math.nan},
        {"fraction": 1.5},
        {"fraction": -0.1},
        {"patience_s": math.inf},
        {"patience_s": math.nan},
        {"patience_s": -1.0},
    ],
)
def test_progress_that_cannot_be(tmp_path: Path, change: dict[str, Any]) -> None:
    """A worker cannot be patient for ever."""
    progress = sign_of_life(order_for(tmp_path), patience_s=0.0)
    assert fault_of(replace(progress, **change))
