"""WeightsStore: generations of weights, kept as they were."""

from pathlib import Path

import torch

from zssr_daemon.worker.start_store import MAX_GENERATIONS, WeightsStore
from zssr_daemon.zssr.training.weights import Weights

KEY = "three channels, scale 2"


def weights(value: float, key: str = KEY) -> Weights:
    """Return small weights that a number tells apart."""
    return Weights(key, {"layer": torch.full((2, 2), value)})


def test_newest_generation_is_found_again(tmp_path: Path) -> None:
    """Nothing is there at first; then the latest, with the very numbers that were kept."""
    store = WeightsStore(tmp_path / "made" / "when needed")
    assert store.newest(KEY) is None
    for value in (1.0, 2.0):
        store.keep(weights(value))
    found = store.newest(KEY)
    assert found is not None
    assert found.sha256 == weights(2.0).sha256


def test_only_weights_that_fit_are_found(tmp_path: Path) -> None:
    """Another architecture, scale or number of channels has generations of its own."""
    store = WeightsStore(tmp_path)
    store.keep(weights(1.0))
    store.keep(weights(5.0, "one channel"))
    assert store.newest("two channels") is None
    for key, value in ((KEY, 1.0), ("one channel", 5.0)):
        found = store.newest(key)
        assert found is not None
        assert found.sha256 == weights(value, key).sha256


def test_damaged_generation_gives_way_to_the_one_before(tmp_path: Path) -> None:
    """A file cut short costs a head start, never a job."""
    store = WeightsStore(tmp_path)
    store.keep(weights(1.0))
    store.keep(weights(2.0))
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:50])
    found = store.newest(KEY)
    assert found is not None
    assert found.sha256 == weights(1.0).sha256


def test_generations_stay_and_come_to_an_end(tmp_path: Path) -> None:
    """Every generation can be had again by its hash; after the last, nothing changes."""
    store = WeightsStore(tmp_path)
    for value in range(MAX_GENERATIONS + 3):
        store.keep(weights(float(value)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name.rsplit("-", 1)[1] for name in names] == [
        weights(float(value)).sha256 for value in range(MAX_GENERATIONS)
    ]
