"""The maker of starts: trains, stops, goes on, and writes what the program loads."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from bench.starts import make
from bench.starts.make import Making
from zssr_daemon.zssr.start.recipe import Recipe
from zssr_daemon.zssr.start.shipped import find_start, shipped_starts

TINY = Recipe(
    width=4,
    depth=2,
    channels=3,
    side=48,
    pool=2,
    renewal=8,
    iterations=12,
    batch_size=2,
    crop_size=16,
)

Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Return what runs the command for one tiny start, with more options."""
    monkeypatch.setattr(make, "RECIPES", {"tiny": TINY})
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    folders = ["--state", str(tmp_path / "state"), "--output", str(tmp_path / "weights")]

    def run_with(*options: str) -> None:
        monkeypatch.setattr(sys, "argv", ["make", "--threads", "1", *folders, *options])
        make.main()

    threads = torch.get_num_threads()
    yield run_with
    torch.set_num_threads(threads)


def test_start_is_made_and_loads(run: Run, tmp_path: Path) -> None:
    """Trained to the end, written with recipe and scores, and found, for grey images too."""
    run("--name", "tiny")
    start = find_start(TINY.config, 3, tmp_path / "weights")
    assert start is not None
    assert (start.made["iterations"], Recipe.of(start.made["recipe"])) == (12, TINY)
    assert start.made["scores"]["drawn"].keys() == {"bicubic_db", "start_db"}
    grey = find_start(TINY.config, 1, tmp_path / "weights")
    assert grey is not None
    assert (grey.name, grey.sha256) == (start.name, start.sha256)


def test_stopped_making_goes_on_to_the_same_bytes(run: Run, tmp_path: Path) -> None:
    """A state file half way leads to the weights of a training without a stop."""
    run()
    (whole,) = shipped_starts(tmp_path / "weights")
    state = tmp_path / "state" / "tiny.pt"
    state.unlink()
    making = Making("tiny", TINY, state)
    making.train(5)
    making.save()
    run("--resume")
    (resumed,) = shipped_starts(tmp_path / "weights")
    assert resumed.weights.sha256 == whole.weights.sha256


def test_state_is_not_overwritten_unasked(run: Run) -> None:
    """Hours of training are not lost by forgetting an option."""
    run()
    with pytest.raises(SystemExit, match="--resume"):
        run()


def test_unfinished_start_can_be_written(run: Run, tmp_path: Path) -> None:
    """The averaged weights are of use at any time; the metadata say how far they came."""
    making = Making("tiny", TINY, tmp_path / "state" / "tiny.pt")
    making.train(3)
    making.save()
    run("--export")
    starts = shipped_starts(tmp_path / "weights")
    assert [start.made["iterations"] for start in starts] == [3]


def test_nothing_is_written_from_no_state(run: Run, tmp_path: Path) -> None:
    """An untrained network is no start."""
    with pytest.raises(SystemExit, match="no state"):
        run("--export")
    assert not (tmp_path / "weights").exists()
