"""Names of outputs: legal everywhere, at most 255 bytes, and told from each other."""

import os

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES
from zssr_daemon.protocol.attempt_files import is_part, part_rel
from zssr_daemon.publish.output_names import output_rel
from zssr_daemon.system import file_names
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
    moved = file_names.tagged(f"sub/{name}", tag, reserve_bytes=11)
    assert len(os.fsencode(os.path.basename(moved))) <= 244  # noqa: PTH119
    assert tag in moved
    assert len(os.fsencode(file_names.part_beside(name))) <= 255


def test_a_character_is_never_cut_in_half() -> None:
    """What is left of a long stem is still text."""
    cut = file_names.cut_to_bytes("超" * 100, 255)
    assert cut == "超" * 85
    assert file_names.cut_to_bytes("超" * 100, 256) == cut


def test_cutting_to_nothing_ends() -> None:
    """Where no room is left, nothing is left; the cutting does not go on for ever."""
    assert file_names.cut_to_bytes("abc", -5) == ""


def test_suffix_that_is_most_of_the_name_is_no_suffix() -> None:
    """A tag must be visible, so an overlong ending gives way like a stem."""
    assert file_names.tagged("a." + "s" * 253, "-1") == "a." + "s" * 251 + "-1"


def test_part_lies_beside_its_output_and_is_recognised() -> None:
    """Parts are told from other hidden files, which belong to somebody else."""
    part = part_rel("sub/a_x2.png", "0" * 32, 3)
    assert part == "sub/." + "0" * 32 + ".3.part"
    assert is_part(os.path.basename(part))  # noqa: PTH119
    for other in (".hidden.part", "a.part", "x" + part, part + "x", "." + "g" * 32 + ".1.part"):
        assert not is_part(other)


def test_printable_is_always_utf8() -> None:
    """Names that are no text are escaped, others untouched."""
    assert file_names.printable("ä b") == "ä b"
    assert file_names.printable(os.fsdecode(b"\xff\xc3\xa4")) == "\\xffä"
    file_names.printable(os.fsdecode(bytes(range(1, 256)))).encode("utf-8")
