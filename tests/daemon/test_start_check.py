"""StartCheck: the start of the settings is looked up before any job."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.parts.starts import add_start, ship, unfitted
from tests.parts.tiny_settings import TINY, SettingsFactory
from zssr_daemon.daemon.start_check import configured_start, start_warnings
from zssr_daemon.errors import SettingsError
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import ZSSRConfig


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ship one start, for the network of TINY in colour."""
    folder = tmp_path / "weights"
    add_start(folder, unfitted(TINY))
    ship(monkeypatch, folder)
    return folder


def with_zssr(make_settings: SettingsFactory, config: ZSSRConfig) -> Settings:
    """Return settings with that table."""
    return make_settings().model_copy(update={"zssr": config})


@pytest.mark.parametrize("start", ["drawn", "folder"])
def test_start_that_fits_is_found_without_a_warning(
    make_settings: SettingsFactory, start: str
) -> None:
    """For both values that begin with it."""
    changes: dict[str, Any] = {"start": start}
    config = dataclasses.replace(TINY, **changes)
    settings = with_zssr(make_settings, config)
    found = configured_start(settings)
    assert found is not None
    assert found.name == "tiny"
    assert start_warnings(settings, found) == []


def test_network_without_a_start_is_warned_of(make_settings: SettingsFactory) -> None:
    """Fits begin from chance, and one warning says so."""
    one_pass: dict[str, Any] = {"scale_factor": 3.0, "max_pass_scale": 3.0}
    for changes in ({"model_width": 5}, one_pass):
        settings = with_zssr(make_settings, dataclasses.replace(TINY, **changes))
        assert configured_start(settings) is None
        (warning,) = start_warnings(settings, None)
        assert "fits begin from chance" in warning


def test_kernel_file_makes_the_whole_scale_one_pass(make_settings: SettingsFactory) -> None:
    """At 4 a kernel's network enlarges by 4 at once, and the start for 2 does not fit."""
    settings = with_zssr(make_settings, dataclasses.replace(TINY, scale_factor=4.0))
    assert configured_start(settings) is not None
    kernel = settings.degradation.model_copy(update={"kernel": Path("lens.npy")})
    assert configured_start(settings.model_copy(update={"degradation": kernel})) is None


def test_damaged_start_stops_the_daemon(make_settings: SettingsFactory, folder: Path) -> None:
    """With the exit code of settings and the cure; where no start is wanted, none is read."""
    (folder / "tiny.safetensors").write_bytes(b"damaged")
    with pytest.raises(SettingsError, match=r"tiny is damaged.*install the program") as caught:
        configured_start(with_zssr(make_settings, TINY))
    assert caught.value.exit_code == 78
    settings = with_zssr(make_settings, dataclasses.replace(TINY, start="none"))
    assert configured_start(settings) is None
    assert start_warnings(settings, None) == []
