"""Weights: kept, read back, refused where damaged or of another network."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parts.zssr_pictures import quick, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.rounds import new_network
from zssr_daemon.zssr.training.weights import Weights, compatibility_key


def weights_of(config: ZSSRConfig, channels: int = 3, seed: int = 0) -> Weights:
    """Return those of an unfitted network."""
    generator = torch.Generator().manual_seed(seed)
    network = new_network(torch.zeros(channels, 1, 1), config, generator)
    return Weights.of(network, compatibility_key(config, channels))


def saved(**changes: Any) -> bytes:
    """Return good weights as bytes with entries of the file replaced."""
    content = torch.load(io.BytesIO(weights_of(quick()).to_bytes()), weights_only=True)
    stream = io.BytesIO()
    torch.save(content | changes, stream)
    return stream.getvalue()


class Villain:
    """Writes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "pwned")


def test_bytes_restore_key_and_every_parameter() -> None:
    """Written and read: equal, with an equal hash."""
    weights = weights_of(quick())
    read = Weights.from_bytes(weights.to_bytes())
    assert (read.key, read.sha256) == (weights.key, weights.sha256)
    assert read.state.keys() == weights.state.keys()
    assert all(torch.equal(read.state[name], weights.state[name]) for name in weights.state)


def test_hash_tells_weights_apart() -> None:
    """By their numbers and by what they are for."""
    weights = weights_of(quick())
    assert weights.sha256 == weights_of(quick()).sha256
    assert weights.sha256 != weights_of(quick(), seed=1).sha256
    assert weights.sha256 != Weights("other", weights.state).sha256


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nothing of the kind",
        weights_of(quick()).to_bytes()[:-200],
        saved(format_version=2),
        saved(key="other"),
        saved(state=None),
        saved(state={"layers.0.weight": torch.tensor([float("nan")])}),
        saved(state={"layers.0.weight": torch.zeros(3, dtype=torch.float64)}),
        saved(sha256="0" * 64),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    """Cut off, of another version, changed, not finite: a ValueError, so a cold fit can follow."""
    with pytest.raises(ValueError, match="weights"):
        Weights.from_bytes(content)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    """State folders can be written to by others; reading them stays safe."""
    target = tmp_path / "pwned"
    with pytest.raises(ValueError, match="weights cannot be read"):
        Weights.from_bytes(saved(state=Villain(target)))
    assert not target.exists()


@pytest.mark.parametrize(
    "overrides",
    [
        {"model_width": 8},
        {"model_depth": 3},
        {"model_kernel_size": 5},
        {"model_variant": "paper"},
        {"scale_factor": 3.0, "max_pass_scale": 3.0},
        {"scale_factor": 1.5},
        {"scale_factor": (2.0, 1.5)},
        {"in_channels": 1},
    ],
)
def test_weights_of_another_network_or_scale_are_refused(overrides: dict[str, Any]) -> None:
    """The key differs, and `super_resolve` says so instead of fitting nonsense."""
    config = quick(**overrides)
    assert compatibility_key(config, 3) != compatibility_key(quick(), 3)
    with pytest.raises(ValueError, match="initial_weights are of"):
        super_resolve(texture(8, 8), config, device="cpu", initial_weights=weights_of(quick()))


def test_key_depends_on_the_channels_the_network_sees() -> None:
    """Colour and grey have different networks, unless in_channels makes them one."""
    assert compatibility_key(quick(), 1) != compatibility_key(quick(), 3)
    grey = quick(in_channels=1)
    assert compatibility_key(grey, 1) == compatibility_key(grey, 3)


def test_drawn_start_may_start_any_fit() -> None:
    """It serves sources of any degradation; the weights of a fit serve sources like its own."""
    config, noisy = quick(num_epochs=2, warm_num_epochs=2, rounds=1), Degradation(noise_std=5.0)
    source = texture(16, 16)

    def start(weights: Weights, degradation: Degradation) -> None:
        super_resolve(
            source, config, device="cpu", initial_weights=weights, degradation=degradation
        )

    ideal = weights_of(config)
    drawn = Weights(network_key(noisy.adapted(config), 3), ideal.state)
    for degradation in (IDEAL, noisy):
        start(drawn, degradation)
    with pytest.raises(ValueError, match="initial_weights are of"):
        start(ideal, noisy)
    with pytest.raises(ValueError, match="initial_weights are of"):
        start(Weights(compatibility_key(config, 3, noisy), ideal.state), IDEAL)


@pytest.mark.parametrize("overrides", [{"num_epochs": 7}, {"lr": 1e-3}, {"seed": 5}])
def test_key_does_not_depend_on_how_the_fit_went(overrides: dict[str, Any]) -> None:
    """Only on what the network is."""
    assert compatibility_key(quick(**overrides), 3) == compatibility_key(quick(), 3)
