"""Layers: the nearest value of a key counts, and a size or a factor takes the other's place."""

from pathlib import Path

import pytest

from tests.parts.settings_files import fault, load
from zssr_daemon.errors import ImageSettingsError, SettingsError
from zssr_daemon.settings.image_settings import Resolver
from zssr_daemon.settings.layers import contradiction, laid_over
from zssr_daemon.settings.load import load_settings
from zssr_daemon.zssr.config import ZSSRConfig


def test_key_by_key() -> None:
    """Other keys and tables of the outer layer stay; neither layer is changed."""
    outer = {"zssr": {"seed": 1, "rounds": 2}, "watch": {"recursive": False}}
    nearer = {"zssr": {"seed": 3}, "output": {"report": True}}
    assert laid_over(outer, nearer) == {
        "zssr": {"seed": 3, "rounds": 2},
        "watch": {"recursive": False},
        "output": {"report": True},
    }
    assert outer["zssr"] == {"seed": 1, "rounds": 2}


@pytest.mark.parametrize(
    ("outer", "nearer", "left"),
    [
        ({"scale_factor": 3.0, "scale_times": 2}, {"target": "long:9"}, {"target": "long:9"}),
        ({"target": "long:9"}, {"scale_factor": 3.0}, {"scale_factor": 3.0}),
        ({"target": "long:9"}, {"scale_times": 2}, {"scale_times": 2}),
        ({"target": "long:9"}, {"target": ""}, {"target": ""}),
        ({"scale_factor": 3.0}, {"target": ""}, {"scale_factor": 3.0, "target": ""}),
        ({"target": "long:9"}, {"seed": 1}, {"target": "long:9", "seed": 1}),
    ],
)
def test_size_and_factor_take_each_others_place(
    outer: dict[str, object], nearer: dict[str, object], left: dict[str, object]
) -> None:
    """An empty target is none."""
    assert laid_over({"zssr": outer}, {"zssr": nearer}) == {"zssr": left}


def test_odd_layers_are_left_to_the_checks() -> None:
    """What is no table replaces one, and is refused later."""
    assert laid_over({"zssr": {"seed": 1}}, {"zssr": 3}) == {"zssr": 3}
    assert laid_over({"zssr": 3}, {"zssr": {"seed": 1}}) == {"zssr": {"seed": 1}}
    assert contradiction({"zssr": 3}) is None


@pytest.mark.parametrize("factor", ["scale_factor = 2.0", "scale_times = 1"])
def test_both_in_one_layer_are_refused(tmp_path: Path, factor: str) -> None:
    """In settings.toml, in a profile, in the environment or on the command line."""
    both = f'[zssr]\ntarget = "long:3000"\n{factor}\n'
    told = "[zssr] target = 'long:3000' is a size, scale_"
    assert told in fault(tmp_path, both)
    (tmp_path / "a.toml").write_text(both)
    with pytest.raises(ImageSettingsError, match=r"a\.toml: \[zssr\] target"):
        Resolver(load(tmp_path), tmp_path).resolve("a.png")


def test_environment_contradicts_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And only itself: over the file it lays its own size."""
    monkeypatch.setenv("ZSSR_ZSSR__TARGET", "long:3000")
    assert load(tmp_path, "[zssr]\nscale_factor = 4.0").zssr == ZSSRConfig(target="long:3000")
    monkeypatch.setenv("ZSSR_ZSSR__SCALE_FACTOR", "3.0")
    assert "environment: [zssr] target" in fault(tmp_path)


def test_nearest_layer_decides(tmp_path: Path) -> None:
    """NAME.toml over zssr.toml over settings.toml; each may ask for a size or a factor."""
    settings = load(tmp_path, "[zssr]\nscale_factor = 3.0\nseed = 5")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "zssr.toml").write_text('[zssr]\ntarget = "short:2000"')
    (inbox / "b.toml").write_text("[zssr]\nscale_factor = 4.0")
    of = Resolver(settings, inbox).resolve
    assert of("a.png").settings.zssr == ZSSRConfig(target="short:2000", seed=5)
    assert of("b.png").settings.zssr == ZSSRConfig(scale_factor=4.0, seed=5)


def test_command_line_is_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the environment, the file and the profiles; a fault in it is said to be there."""
    monkeypatch.setenv("ZSSR_ZSSR__TARGET", "long:3000")
    over = {"zssr": {"scale_factor": 3.0}, "output": {"format": "tiff"}}
    (tmp_path / "a.toml").write_text('[zssr]\ntarget = "short:9"\n[output]\nformat = "webp"')
    settings = load_settings(None, over)
    assert settings.zssr == ZSSRConfig(scale_factor=3.0)
    own = Resolver(settings, tmp_path, over=over).resolve("a.png").settings
    assert (own.zssr, own.output.format) == (ZSSRConfig(scale_factor=3.0), "tiff")
    faulty: list[dict[str, dict[str, object]]] = [
        {"zssr": {"sead": 3}},
        {"output": {"format": "gif"}},
        {"otput": {}},
    ]
    for layer in faulty:
        with pytest.raises(SettingsError, match=r"^command line: "):
            load_settings(None, layer)
