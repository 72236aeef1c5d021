"""Schema: presets, written keys, and what `auto` stands for."""

from pathlib import Path

import pytest

from tests.parts.settings_files import load
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.presets import PRESETS


@pytest.mark.parametrize("preset", PRESETS)
def test_preset_gives_way_to_keys(tmp_path: Path, preset: str) -> None:
    """A key replaces the preset's value, the others of the preset stay."""
    settings = load(tmp_path, f'[zssr]\npreset = "{preset}"\nseed = 7')
    assert settings.zssr == ZSSRConfig.from_preset(preset, seed=7)
    settings = load(tmp_path, f'[zssr]\npreset = "{preset}"\nnum_epochs = 3')
    assert settings.zssr == ZSSRConfig.from_preset(preset, num_epochs=3)


def test_scale_of_two_axes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair is x, then y, in the file as in the environment."""
    assert load(tmp_path, "[zssr]\nscale_factor = [2, 3.5]\n").zssr.scale_factor == (2.0, 3.5)
    monkeypatch.setenv("ZSSR_ZSSR__SCALE_FACTOR", "[1.5, 1]")
    assert load(tmp_path).zssr.scale_factor == (1.5, 1.0)


def test_written_keys_are_known_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those with the value of the preset: another preset must not change them."""
    assert Settings(zssr=ZSSRConfig(rounds=7)).written_zssr() == {"rounds": 7}
    monkeypatch.setenv("ZSSR_ZSSR__SEED", "3")
    toml = '[zssr]\npreset = "fast"\nnum_epochs = 900\n'
    written = {"preset": "fast", "num_epochs": 900, "seed": 3}
    assert load(tmp_path, toml).written_zssr() == written


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nothing changes them after they were checked."""
    settings = load(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        setattr(settings.watch, "recursive", False)  # noqa: B010 (mypy knows better)


@pytest.mark.parametrize(
    ("toml", "kernel", "noise_std", "jpeg_quality"),
    [
        ("", "auto", "auto", "auto"),
        ("kernel = 'bicubic'\nnoise_std = 0", "auto", "auto", "auto"),
        ("kernel = 'estimate'", "estimate", "auto", "auto"),
        ("auto = true", "estimate", "auto", "auto"),
        ("auto = true\nkernel = 'bicubic'\nnoise_std = 0", "estimate", "auto", "auto"),
        ("auto = true\nnoise_std = 3", "estimate", 3, "auto"),
        ("auto = true\njpeg_quality = 80", "estimate", "auto", 80),
        ("auto = false\nkernel = 'estimate'", "estimate", 0, "none"),
        ("auto = false", "bicubic", 0, "none"),
        ("[zssr]\npreset = 'paper'", "bicubic", 0, "none"),
        ("auto = true\n[zssr]\npreset = 'paper'", "estimate", "auto", "auto"),
        ("auto = false\n[zssr]\npreset = 'fast'", "bicubic", 0, "none"),
    ],
)
def test_auto_replaces_defaults(
    tmp_path: Path, toml: str, kernel: str, noise_std: object, jpeg_quality: object
) -> None:
    """It replaces defaults, also where the file writes them out, as the shipped one does.

    It is on unless a file says otherwise, but off for the published algorithm.
    """
    settings = load(tmp_path, f"[degradation]\n{toml}")
    asked = settings.degradation.resolved(settings.zssr.preset)
    assert asked.resolved(settings.zssr.preset) == asked
    assert (asked.kernel, asked.noise_std, asked.jpeg_quality) == (kernel, noise_std, jpeg_quality)


def test_auto_leaves_a_given_kernel_alone(tmp_path: Path) -> None:
    """A kernel file is not replaced by an estimate."""
    settings = load(tmp_path, "[degradation]\nauto = true\nkernel = 'lens.npy'")
    asked = settings.degradation.resolved("balanced")
    assert asked.kernel == tmp_path / "lens.npy"
    assert asked.noise_std == "auto"
