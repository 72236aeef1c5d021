"""Shipped starts: found by the network they fit, refused where damaged."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torchvision.transforms.functional import to_tensor

from tests.parts.zssr_pictures import DATA, quick, texture
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.pipeline import super_resolve
from zssr_daemon.zssr.scale import Scale
from zssr_daemon.zssr.start.recipe import Recipe
from zssr_daemon.zssr.start.shipped import find_start, shipped_starts, start_bytes
from zssr_daemon.zssr.start.start_file import INDEX, Family, StartError, StartFile
from zssr_daemon.zssr.start.trainer import Trainer
from zssr_daemon.zssr.training.rounds import new_network

TINY = Recipe(
    width=4,
    depth=2,
    channels=3,
    side=48,
    pool=2,
    iterations=6,
    batch_size=2,
    crop_size=16,
)


@pytest.fixture(scope="module")
def content() -> bytes:
    """Return the file of a tiny start."""
    trainer = Trainer(TINY)
    trainer.run(TINY.iterations)
    return start_bytes(trainer.weights(), {"recipe": TINY.values})


@pytest.fixture
def folder(tmp_path: Path, content: bytes) -> Path:
    """Return a folder of starts with the tiny one."""
    (tmp_path / "tiny.safetensors").write_bytes(content)
    index = {"tiny.safetensors": hashlib.sha256(content).hexdigest()}
    (tmp_path / INDEX).write_text(json.dumps(index))
    return tmp_path


def test_written_start_is_read_back(folder: Path, content: bytes) -> None:
    """Weights, recipe, and the hash of the file; written again, the same bytes."""
    (start,) = shipped_starts(folder)
    assert (start.name, Recipe.of(start.made["recipe"])) == ("tiny", TINY)
    assert start.sha256 == hashlib.sha256(content).hexdigest()
    assert start_bytes(start.weights, start.made) == content


def test_start_is_found_by_architecture_and_unshuffling(folder: Path) -> None:
    """One that differs in any of them is not for this network; None then."""
    config = TINY.config
    assert find_start(config, 3, folder) is not None
    assert find_start(replace(config, num_epochs=7, seed=3), 3, folder) is not None
    assert find_start(replace(config, scale_factor=1.5), 3, folder) is not None
    one_pass = {"scale_factor": 3.0, "max_pass_scale": 3.0}
    for changes in ({"model_width": 8}, {"model_depth": 3}, {"model_pairs": 1}, one_pass):
        assert find_start(replace(config, **changes), 3, folder) is None


def test_start_serves_sources_of_any_degradation(folder: Path) -> None:
    """Kernel, noise and compression do not matter; `super_resolve` takes it for all of them."""
    config = quick(model_width=4, model_depth=2, num_epochs=2, warm_num_epochs=2, rounds=1)
    kernel = Kernel.of(torch.ones(3, 3, dtype=torch.float64).numpy() / 9)
    for degradation in (Degradation(blur=kernel), Degradation(noise_std=5.0, jpeg_quality=60)):
        start = find_start(degradation.adapted(config), 3, folder)
        assert start is not None
        result = super_resolve(
            texture(24, 24),
            config,
            device="cpu",
            initial_weights=start.weights,
            degradation=degradation,
        )
        assert result.image.shape == (3, 48, 48)


def test_kernel_that_needs_one_pass_of_another_scale_has_no_start(folder: Path) -> None:
    """At a total scale of 4 a kernel's network enlarges by 4: a start for 2 is of no use."""
    config = replace(TINY.config, scale_times=2)
    assert find_start(config, 3, folder) is not None
    assert find_start(config.in_one_pass(), 3, folder) is None


@pytest.mark.parametrize("at", [0, 100, -1])
def test_damaged_start_is_refused(folder: Path, content: bytes, at: int) -> None:
    """One changed byte anywhere is an error, not a bad fit."""
    changed = bytearray(content)
    changed[at] ^= 1
    (folder / "tiny.safetensors").write_bytes(bytes(changed))
    with pytest.raises(StartError, match="tiny is damaged"):
        find_start(TINY.config, 3, folder)


@pytest.mark.parametrize("lost", ["tiny.safetensors", INDEX])
def test_missing_file_is_refused(folder: Path, lost: str) -> None:
    """What the index names must be there, and the index itself."""
    (folder / lost).unlink()
    with pytest.raises(StartError, match="cannot be read"):
        find_start(TINY.config, 3, folder)


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\xff" * 64])
def test_file_that_is_no_start_is_refused(content: bytes) -> None:
    """Even where its hash is right."""
    with pytest.raises(StartError, match="tiny cannot be read"):
        StartFile.of_bytes("tiny", content, hashlib.sha256(content).hexdigest())


def test_shipped_starts_load_and_fit_their_keys() -> None:
    """Each that comes with the program is found by its recipe, and its network takes it."""
    starts = shipped_starts()
    for start in starts:
        recipe = Recipe.of(start.made["recipe"])
        assert find_start(recipe.config, recipe.channels, family=start.family) == start
        for channels in (1, 3):
            found = find_start(recipe.config, channels, family=start.family)
            assert found is not None
            assert found.sha256 == start.sha256
            generator = torch.Generator().manual_seed(0)
            network = new_network(torch.zeros(channels, 1, 1), recipe.config, generator)
            found.weights.apply(network)
    assert len({(start.weights.key, start.family) for start in starts}) == len(starts)


@pytest.mark.parametrize("preset", ["instant", "fast", "balanced", "best"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_preset_has_a_start(preset: str, channels: int) -> None:
    """Colour and grey images begin with a shipped start, whatever preset is chosen.

    Those that JPEG compressed, and noisy ones, begin with others.
    """
    config = ZSSRConfig.from_preset(preset)
    families: tuple[Family, ...] = ("clean", "jpeg", "noise")
    for family in families:
        start = find_start(config, channels, family=family)
        assert start is not None
        assert start.family == family


@pytest.mark.parametrize(
    ("preset", "is_deep"),
    [("instant", True), ("fast", False), ("balanced", True), ("best", True)],
)
def test_which_presets_have_deeper_starts(preset: str, is_deep: bool) -> None:
    """Clean, compressed and noisy sources have one each; passes of more than 2.5 have none."""
    config = ZSSRConfig.from_preset(preset)
    kernel = Degradation(blur=Kernel.of(torch.ones(3, 3, dtype=torch.float64).numpy() / 9))
    families: tuple[tuple[Family, Degradation, str], ...] = (
        ("clean", Degradation(), ""),
        ("clean", kernel, ""),
        ("jpeg", Degradation(jpeg_quality=60), "-jpeg"),
        ("noise", Degradation(noise_std=3), "-noise"),
    )
    for family, degradation, ending in families:
        start = find_start(degradation.adapted(config), 3, family=family)
        assert start is not None
        assert start.name == f"rgb-64x8{'-deep' if is_deep else ''}{ending}"
    above = find_start(kernel.adapted(replace(config, scale_factor=4.0)), 3)
    assert above is not None
    assert "-deep" not in above.name


@pytest.mark.parametrize("scale", [2.0, 2.5, 3.0, 3.5, 4.0, (3.0, 4.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_known_blur_has_a_start_up_to_4(scale: Scale, channels: int) -> None:
    """A kernel's whole enlargement is one pass, and there are starts for those up to 4."""
    config = ZSSRConfig.from_preset("best", scale_factor=scale).for_source(has_kernel=True)
    start = find_start(config, channels)
    assert start is not None
    assert start.name.startswith("rgb-64x8")


def test_instant_has_a_deeper_start_for_small_sources_only() -> None:
    """Up to 512 × 512 pixels the deeper network still is quick."""
    config = ZSSRConfig.from_preset("instant")
    for size, name in (((512, 512), "rgb-64x8-deep"), ((513, 512), "rgb-64x8")):
        start = find_start(Degradation().adapted(config.for_size(*size)), 3)
        assert start is not None
        assert start.name == name


def test_compressed_sources_begin_with_their_own_start() -> None:
    """Whatever else happened to them."""
    config = ZSSRConfig.from_preset("instant", num_epochs=2)
    names = {
        super_resolve(texture(24, 24), config, device="cpu", degradation=degradation).start
        for degradation in (Degradation(jpeg_quality=60), Degradation(noise_std=3, jpeg_quality=90))
    }
    assert names == {"rgb-64x8-deep-jpeg"}


def test_noisy_sources_begin_with_their_own_start() -> None:
    """Those without noise and compression begin with the start of clean sources."""
    config = ZSSRConfig.from_preset("instant", num_epochs=2)
    names = [
        super_resolve(texture(24, 24), config, device="cpu", degradation=degradation).start
        for degradation in (Degradation(noise_std=3), Degradation())
    ]
    assert names == ["rgb-64x8-deep-noise", "rgb-64x8-deep"]


@pytest.mark.parametrize("family", ["jpeg", "noise"])
def test_sources_without_a_start_of_their_own_have_that_of_clean_ones(
    folder: Path, family: Family
) -> None:
    """It is far better than chance."""
    found = find_start(TINY.config, 3, folder, family=family)
    assert found is not None
    assert found.family == "clean"


@pytest.mark.parametrize("channels", [1, 3])
def test_shipped_start_beats_chance_at_equal_iterations(channels: int) -> None:
    """Ten iterations from the start come far nearer to the truth than ten from chance."""
    mode = "L" if channels == 1 else "RGB"
    truth, source = (
        to_tensor(Image.open(DATA / f"butterfly_{name}.png").convert(mode)) for name in ("hr", "lr")
    )
    error = {}
    for start in ("drawn", "none"):
        config = ZSSRConfig.from_preset("instant", start=start, num_epochs=10)
        result = super_resolve(source, config, device="cpu")
        assert (result.start is not None) == (start == "drawn")
        error[start] = float((result.image - truth).square().mean())
    assert error["drawn"] < error["none"] / 2


def test_network_without_a_start_gets_none() -> None:
    """No shipped start has an architecture that nobody would choose."""
    assert find_start(ZSSRConfig(model_width=3, model_depth=2), 3) is None
