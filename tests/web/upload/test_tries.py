"""Tries: a small PNG that the daemon takes before all others, or that leaves nothing behind."""

import struct
from typing import Any

import pytest

from tests.parts.tiny_settings import SettingsFactory
from tests.parts.web_browser import ScriptedDaemon, browser
from zssr_daemon.settings.schema import Settings


def png(width: int, height: int) -> bytes:
    """Return the beginning of a PNG of that size."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + bytes(40)


def pictures(settings: Settings) -> list[str]:
    """Return the names of the PNGs in the inbox, hidden parts too."""
    found = settings.folders.inbox.rglob("*.p*")
    return [str(path.relative_to(settings.folders.inbox)) for path in found]


def test_part_is_admitted_before_all_others(make_settings: SettingsFactory) -> None:
    """The daemon is told which file it is, and for how long its result is kept."""
    settings = make_settings()
    daemon = ScriptedDaemon(lambda _: {})
    answer = browser(settings, daemon).post("/tries", content=png(96, 128))
    assert answer.status_code == 201
    image = answer.json()["image"]
    assert daemon.asked == [{"command": "admit", "image": image, "lane": 1, "result_kept_s": 86400}]
    assert pictures(settings) == [image]
    assert (settings.folders.inbox / image).with_name("zssr.toml").is_file()


@pytest.mark.parametrize(
    ("part", "status"),
    [
        (b"", 415),
        (b"\xff\xd8\xff", 415),
        (png(96, 128)[:20], 415),
        (png(0, 5), 413),
        (png(129, 96), 413),
        (png(2**31, 2**31), 413),
        (png(96, 96) + bytes(1_000_000), 413),
    ],
)
def test_what_is_no_small_png_is_refused(
    make_settings: SettingsFactory, part: bytes, status: int
) -> None:
    """By its size in bytes, and by the size that it says it has."""
    settings = make_settings()
    daemon = ScriptedDaemon(lambda _: {})
    assert browser(settings, daemon).post("/tries", content=part).status_code == status
    assert (daemon.asked, pictures(settings)) == ([], [])


@pytest.mark.parametrize(
    ("answer", "status"),
    [(None, 503), (lambda _: {"error": "no such file"}, 409)],
    ids=["away", "refused"],
)
def test_nothing_stays_where_the_daemon_does_not_take_it(
    make_settings: SettingsFactory, answer: Any, status: int
) -> None:
    """Else its result would stay for ever."""
    settings = make_settings()
    client = browser(settings, ScriptedDaemon(answer))
    assert client.post("/tries", content=png(96, 96)).status_code == status
    assert pictures(settings) == []
