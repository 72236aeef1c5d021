"""Names of outputs: made from the source's, legal everywhere, at most 255 bytes."""

import os

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES
from zssr_daemon.publish.output_names import output_rel
from zssr_daemon.zssr.scale import Scale

PATTERN = "{stem}_x{scale}"


def output(src_rel: str, *, tag: str = "", pattern: str = PATTERN, scale: Scale = 2.0) -> str:
    """Call `output_rel` with a PNG suffix."""
    return output_rel(src_rel, pattern, scale=scale, suffix=".png", tag=tag)


@pytest.mark.parametrize(
    ("src_rel", "expected"),
    [
        ("photo.jpg", "photo_x2.png"),
        ("sub/dir/photo.jpg", "sub/dir/photo_x2.png"),
        ("two.dots.jpg", "two.dots_x2.png"),
        ("no_suffix", "no_suffix_x2.png"),
        ("-rf.png", "-rf_x2.png"),
        ("line\nbreak\x7f\x9b.png", "line_break___x2.png"),
        ("{scale}.png", "{scale}_x2.png"),
        (os.fsdecode(b"\xff\n.png"), os.fsdecode(b"\xff__x2.png")),
    ],
)
def test_output_is_named_after_its_source(src_rel: str, expected: str) -> None:
    """The stem is kept, control characters aside, and so is the sub-folder."""
    assert output(src_rel) == expected


@pytest.mark.parametrize(
    ("scale", "text"), [(2.0, "2"), (2.5, "2.5"), (1.5**2, "2.25"), (8, "8"), ((2.0, 3.5), "2x3.5")]
)
def test_scale_has_no_trailing_zeros(scale: Scale, text: str) -> None:
    """A whole factor is written as a whole number."""
    assert output("a.png", scale=scale) == f"a_x{text}.png"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("tag", ["", "-" + "0" * 32])
def test_names_fit_every_file_system(name: str, tag: str) -> None:
    """Whatever the source is called, a name has at most 255 bytes and keeps its tag and ending."""
    rel = output(f"sub/{name}", tag=tag)
    assert len(os.fsencode(os.path.basename(rel))) <= 255  # noqa: PTH119
    assert rel.endswith(f"_x2{tag}.png")
