"""The drawn start: what `super_resolve` begins with where nobody gives it weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.parts.starts import add_start, ship, unfitted
from tests.parts.zssr_pictures import quick, run, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.degradation.degradation import IDEAL, Degradation
from zssr_daemon.zssr.pipeline import SuperResolved, super_resolve
from zssr_daemon.zssr.start.start_file import StartError, fitting_file
from zssr_daemon.zssr.training.network_key import network_key
from zssr_daemon.zssr.training.weights import Weights

CONFIG = quick(start="drawn", num_epochs=60, warm_num_epochs=20)

KERNEL = Degradation(blur=Kernel.of(torch.ones(3, 3, dtype=torch.float64).numpy() / 9))


@pytest.fixture(scope="module")
def good() -> Weights:
    """Return weights that suit textures, fitted once for all tests."""
    weights = super_resolve(texture(48, 48, seed=1), quick(num_epochs=200), device="cpu").weights
    assert weights is not None
    return Weights(network_key(CONFIG, 3), weights.state)


@pytest.fixture
def sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: Weights) -> str:
    """Ship these weights and no others; return the hash of their file."""
    sha256 = add_start(tmp_path / "weights", good)
    ship(monkeypatch, tmp_path / "weights")
    return sha256


def fit(degradation: Degradation = IDEAL, channels: int = 3, **overrides: Any) -> SuperResolved:
    """Enlarge a picture by CONFIG with other values."""
    config = quick(**{"start": "drawn", "num_epochs": 60, "warm_num_epochs": 20} | overrides)
    picture = texture(48, 48, channels, seed=2)
    return super_resolve(picture, config, device="cpu", degradation=degradation)


def test_fits_begin_with_the_drawn_start_by_default(sha256: str) -> None:
    """Without a word in the settings; the result says which one it was."""
    assert ZSSRConfig().start == "drawn"
    result = fit()
    assert (result.start, result.start_sha256) == ("tiny", sha256)
    assert (result.is_warm, result.iterations, result.restarts) == (True, 20, 0)


@pytest.mark.usefixtures("sha256")
def test_none_begins_with_chance() -> None:
    """As if no start were there, with the iterations of a fit from chance."""
    result = fit(start="none")
    assert (result.start, result.start_sha256, result.is_warm) == (None, None, False)
    assert result.iterations == 60


def test_paper_begins_with_chance() -> None:
    """The published algorithm knows no start."""
    assert ZSSRConfig.from_preset("paper").start == "none"


def test_folder_without_weights_begins_as_drawn(sha256: str) -> None:
    """The algorithm alone knows no folder."""
    assert fit(start="folder").start_sha256 == sha256


def test_given_weights_come_before_the_drawn_start(sha256: str, good: Weights) -> None:
    """They are called "given", and their own hash is told."""
    picture = texture(48, 48, seed=2)
    result = super_resolve(picture, CONFIG, device="cpu", initial_weights=good)
    assert (result.start, result.start_sha256) == ("given", good.sha256)
    assert good.sha256 != sha256


@pytest.mark.parametrize(
    "degradation", [KERNEL, Degradation(noise_std=5.0), Degradation(jpeg_quality=60)]
)
@pytest.mark.usefixtures("sha256")
def test_degradation_does_not_matter(degradation: Degradation) -> None:
    """A start is tried for sources that were blurred, noisy or compressed too."""
    result = fit(degradation, lr=1e-4)
    assert result.iterations == 20 * (1 + result.restarts)  # of a warm fit; 60 would be of chance


def test_grey_images_begin_with_the_start_folded(sha256: str) -> None:
    """It is trained on colours alone, and told by the same name and hash."""
    result = fit(channels=1)
    assert (result.start, result.start_sha256) == ("tiny", sha256)


@pytest.mark.usefixtures("sha256")
@pytest.mark.parametrize(
    "overrides",
    [{"model_width": 8}, {"model_depth": 3}, {"model_kernel_size": 5}],
)
def test_other_networks_begin_with_chance(overrides: dict[str, Any]) -> None:
    """The architecture must be that of the start; the budget is then that of chance."""
    result = fit(**overrides)
    assert result.start is None
    assert result.iterations == 60


@pytest.mark.usefixtures("sha256")
@pytest.mark.parametrize(
    ("overrides", "has_start"),
    [
        ({"scale_factor": 2}, True),
        ({"scale_factor": 2.5}, True),
        ({"scale_factor": 3.0}, True),
        ({"scale_factor": 4.0}, True),
        ({"scale_factor": 2.0, "scale_times": 2}, True),
        ({"scale_factor": (2.0, 3.0)}, True),
        ({"scale_factor": 1.5}, True),
        ({"scale_factor": (1.0, 2.0)}, True),
        ({"scale_factor": (1.5, 2.0)}, True),
        ({"scale_factor": 3.0, "max_pass_scale": 3.0}, False),
    ],
)
def test_scale_of_one_pass_decides(overrides: dict[str, Any], has_start: bool) -> None:
    """Larger factors are passes of 2; a pass of more than 2.5 has another network, and chance."""
    config = quick(start="drawn", **overrides)
    assert (fitting_file(config) is not None) == has_start


@pytest.mark.usefixtures("sha256")
def test_kernel_at_another_scale_begins_with_chance() -> None:
    """With a kernel the whole scale is one pass: 4 needs a network for 4."""
    config = quick(start="drawn", scale_factor=4.0)
    assert fitting_file(config) is not None
    assert fitting_file(KERNEL.adapted(config)) is None


def test_damaged_start_is_an_error(tmp_path: Path, sha256: str) -> None:
    """Not a fit from chance, which would be worse without a word; "none" does not read it."""
    (tmp_path / "weights" / "tiny.safetensors").write_bytes(b"damaged")
    with pytest.raises(StartError, match=f"its sha256 is not {sha256}"):
        fit()
    assert fit(start="none").start is None


@pytest.mark.usefixtures("sha256")
def test_same_start_gives_the_same_bytes() -> None:
    """Fitted twice, pixel by pixel equal; and other than from chance."""
    first, second, chance = fit(), fit(), fit(start="none")
    assert torch.equal(first.image, second.image)
    assert not torch.equal(first.image, chance.image)


@pytest.mark.usefixtures("sha256")
def test_steps_are_those_of_a_warm_fit() -> None:
    """Who watches the fit is told how many iterations there will be."""
    _, steps = run(texture(48, 48, seed=2), CONFIG)
    assert {step.steps for step in steps if step.stage == "fit"} == {20}
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)


@pytest.mark.usefixtures("sha256")
def test_iterations_limit_fits_from_a_start_too() -> None:
    """Whoever sets num_epochs alone gets no more, whatever the preset allows a warm fit."""
    assert fit(num_epochs=7).iterations == 7
    assert ZSSRConfig.from_preset("best", num_epochs=50).warm_iterations == 50
    assert ZSSRConfig(num_epochs=9000).warm_iterations == ZSSRConfig().warm_num_epochs


def test_useless_start_costs_no_more_than_the_warm_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fits from chance follow it, as short as the fit from the start was; none of it is told."""
    weights = unfitted(CONFIG)
    noise = torch.Generator().manual_seed(0)
    wild = {
        name: torch.randn(value.shape, generator=noise) for name, value in weights.state.items()
    }
    add_start(tmp_path / "weights", Weights(weights.key, wild))
    ship(monkeypatch, tmp_path / "weights")
    result = fit()
    assert (result.start, result.is_warm) == (None, False)
    assert (result.restarts, result.iterations) == (1, 20 + 20)
