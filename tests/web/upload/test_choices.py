"""Choices: each makes a profile that the daemon takes, and nothing else gets into one."""

import tomllib
from itertools import product
from pathlib import Path

import pytest

from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.settings.image_settings import Resolver
from zssr_daemon.web.guard.refusal import RefusedError
from zssr_daemon.web.upload.choices import CHOICES, TRY_PROFILE, profile_of


def resolved(make_settings: SettingsFactory, profile: str) -> object:
    """Let the settings of an image below a profile be resolved, as the daemon does."""
    settings = make_settings()
    (settings.folders.inbox / "zssr.toml").write_text(profile)
    return Resolver(settings, settings.folders.inbox).resolve("a.png")


@pytest.mark.parametrize("key", CHOICES)
def test_every_choice_is_taken(make_settings: SettingsFactory, key: str) -> None:
    """By the very code that reads profiles."""
    for value in CHOICES[key]:
        resolved(make_settings, profile_of({key: value}))


def test_all_choices_together_are_taken(make_settings: SettingsFactory) -> None:
    """The first and the last of each."""
    ends = [(values[0], values[-1]) for values in CHOICES.values()]
    for values in product(*ends):
        resolved(make_settings, profile_of(dict(zip(CHOICES, values, strict=True))))


@pytest.mark.parametrize("size", ["3840x2160", "long:3000", "short:2000", "300dpi@20x30cm"])
def test_size_in_place_of_a_factor(make_settings: SettingsFactory, size: str) -> None:
    """As settings.toml writes it."""
    profile = profile_of({"scale": size})
    assert tomllib.loads(profile) == {"zssr": {"target": size}}
    resolved(make_settings, profile)


def test_what_is_not_chosen_is_not_written() -> None:
    """So it stays as settings.toml has it."""
    assert profile_of({}) == ""
    assert profile_of({"auto": None}) == ""


@pytest.mark.parametrize(
    "chosen",
    [
        {"preset": 'fast"\n[folders]\ninbox = "/"'},
        {"scale": "2\n"},
        {"scale": ""},
        {"scale": 2},
        {"scale": "9"},
        {"auto": "true"},
        {"report": 1},
        {"format": "exe"},
        {"format": ["png"]},
        {"on_success": "delete"},
        {"[folders]\ninbox": "/"},
    ],
)
def test_nothing_else_gets_into_a_profile(chosen: dict[str, object]) -> None:
    """Neither other keys, nor other values, nor other types."""
    with pytest.raises(RefusedError) as refused:
        profile_of(chosen)
    assert refused.value.status == 400


def test_try_is_as_in_the_article(make_settings: SettingsFactory, tmp_path: Path) -> None:
    """Eight times in three steps; the source goes."""
    resolved(make_settings, TRY_PROFILE)
    tables = tomllib.loads(TRY_PROFILE)
    assert tables["zssr"]["scale_factor"] ** tables["zssr"]["scale_times"] == 8
    assert tables["output"]["on_success"] == "delete"
