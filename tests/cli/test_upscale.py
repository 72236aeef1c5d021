"""Upscale: the order is the daemon's, and no file is overwritten."""

from pathlib import Path

import pytest

from tests.parts.daemon_parts import drop
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.cli import upscale
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.settings.schema import Settings


@pytest.fixture(autouse=True)
def _no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the enlarger out: what is tested here ends before any work."""
    monkeypatch.setattr(upscale, "Enlarger", lambda *_: None)


def refusal(image: Path, output: Path | None, settings: Settings) -> str | None:
    """Return why an image is not upscaled."""
    (result,) = upscale.upscale_all([image], output, settings, lambda config: config, print)
    return result.error


def order_of(image: Path, settings: Settings) -> WorkOrder:
    """Return the order for an image, to be written beside it."""
    own = upscale._resolved(image, settings, None)
    request = upscale._Request(image, None, False, settings.limits, own)
    return upscale._order(image, image.with_name(f".{'0' * 32}.1.part"), request)


def test_report_is_ordered(make_settings: SettingsFactory, tmp_path: Path) -> None:
    """`[output] report` counts here as it counts in the daemon."""
    image = drop(tmp_path)
    assert order_of(image, make_settings()).report_path is None
    report_path = order_of(image, make_settings(output={"report": True})).report_path
    assert report_path is not None
    assert Path(report_path).suffix == REPORT


@pytest.mark.parametrize("name", ["a_x2.png", "a_x2.png.report.html"])
def test_taken_name_is_refused_before_any_work(
    make_settings: SettingsFactory, tmp_path: Path, name: str
) -> None:
    """Neither an output nor a report replaces a file; nobody waits for a fit to learn that."""
    image = drop(tmp_path)
    (tmp_path / name).write_text("the user's")
    told = refusal(image, None, make_settings(output={"report": True}))
    assert told == f"output_exists: {tmp_path / name} exists already; give another -o"
    assert (tmp_path / name).read_text() == "the user's"


def test_missing_image_is_told(settings: Settings, tmp_path: Path) -> None:
    """The message is the system's, and names the file."""
    told = refusal(tmp_path / "gone.png", None, settings)
    assert told is not None
    assert "No such file" in told
    assert "gone.png" in told
