"""OutputFormat: which one a source gets, and what it refuses or drops."""

from dataclasses import replace
from typing import Any

import pytest

from zssr_daemon.imaging.formats import ImageInfo
from zssr_daemon.imaging.output_format import JPEG, PNG, TIFF, WEBP, OutputFormat, OutputRules


def info(**changes: Any) -> ImageInfo:
    """Describe a source."""
    values: dict[str, Any] = {"width": 10, "height": 10, "channels": 3, "has_alpha": False}
    return ImageInfo(**(values | {"bit_depth": 8, "format": "PNG"} | changes))


def rules(setting: str, max_pixels: int = 10**9) -> OutputRules:
    """Return rules of a format."""
    return OutputRules(setting=setting, quality=95, keeps_metadata=True, max_pixels=max_pixels)


@pytest.mark.parametrize(
    ("setting", "source", "expected"),
    [
        ("png", "JPEG", PNG),
        ("tiff", "PNG", TIFF),
        ("same", "MPO", JPEG),
        ("same", "JPEG", JPEG),
        ("same", "TIFF", TIFF),
        ("same", "WEBP", WEBP),
        ("same", "BMP", PNG),
        ("same", "AVIF", PNG),
    ],
)
def test_which_format_is_written(setting: str, source: str, expected: OutputFormat) -> None:
    """`same` goes by the content of the source; what is not written becomes PNG."""
    assert rules(setting).format_for(source) is expected


@pytest.mark.parametrize(
    ("setting", "side"), [("jpeg", 65_500), ("webp", 16_383), ("png", 1_000_000)]
)
def test_sides_beyond_the_format_are_refused(setting: str, side: int) -> None:
    """The limit itself is allowed, one pixel more is refused, and the message names the limit."""
    assert rules(setting).fault(info(), side, 1) is None
    fault = rules(setting).fault(info(), 1, side + 1)
    assert fault is not None
    assert fault.reason == "output_too_large"
    assert str(side) in str(fault)


def test_what_cannot_fit_the_machine_is_refused() -> None:
    """Source as floats and output as levels: one byte less than that is too little."""
    source = info(width=100, height=50, has_alpha=True, bit_depth=16)
    needed = 100 * 50 * 4 * 4 + 200 * 100 * 4 * 2
    enough, short = (replace(rules("png"), memory_bytes=needed - less) for less in (0, 1))
    assert enough.fault(source, 200, 100) is None
    fault = short.fault(source, 200, 100)
    assert fault is not None
    assert (fault.reason, f"{needed} bytes" in str(fault)) == ("output_too_large", True)


def test_alpha_is_not_dropped_for_jpeg() -> None:
    """JPEG has no transparency: a refusal with the cure, nothing silently flattened."""
    fault = rules("jpeg").fault(info(has_alpha=True), 10, 10)
    assert fault is not None
    assert (fault.reason, "png" in str(fault)) == ("output_without_alpha", True)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "float", "bit_depth": 32},
        {"kind": "signed", "bit_depth": 16},
        {"bit_depth": 32},
        {"extra_codes": (0,)},
        {"extra_codes": (2, 0), "has_alpha": True},
    ],
)
def test_only_tiff_holds_numbers(changes: dict[str, Any]) -> None:
    """All other formats refuse them, with the cure; a sample of each band counts as memory."""
    source = info(format="TIFF", **changes)
    for setting in ("png", "webp"):
        fault = rules(setting).fault(source, 20, 20)
        assert fault is not None
        assert (fault.reason, '"tiff"' in str(fault)) == ("output_without_samples", True)
    for setting in ("tiff", "same"):
        assert rules(setting).fault(source, 20, 20) is None
    needed = (10 * 10 * 4 + 20 * 20 * source.bit_depth // 8) * source.bands
    assert rules("tiff").predicted_bytes(source, 20, 20) == needed
    assert source.bands == 3 + len(source.extra_codes)


@pytest.mark.parametrize(
    ("setting", "changes", "word"),
    [
        ("jpeg", {"bit_depth": 16}, "16 bits"),
        ("webp", {"bit_depth": 16}, "16 bits"),
        ("webp", {"channels": 1}, "grey"),
        ("same", {"format": "AVIF"}, "AVIF"),
        ("png", {"nodata": "-9999"}, "-9999"),
    ],
)
def test_what_the_format_cannot_hold_is_told(
    setting: str, changes: dict[str, Any], word: str
) -> None:
    """The user's right, and a note in the log."""
    notes = rules(setting).notes(info(**changes))
    assert len(notes) == 1
    assert word in notes[0]
    assert rules("tiff").notes(info(**changes)) == []
