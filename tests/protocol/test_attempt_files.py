"""An attempt's files: parts, and companions that are named after their output."""

from pathlib import Path

from zssr_daemon.protocol.attempt_files import (
    companion_part,
    companion_rel,
    companions_of,
    is_part,
    part_rel,
)
from zssr_daemon.protocol.endings import KERNEL_PICTURE, KERNEL_WEIGHTS, REPORT

KINDS = (REPORT, KERNEL_WEIGHTS, KERNEL_PICTURE)


def test_companions_are_parts_until_they_are_named(tmp_path: Path) -> None:
    """The next start removes them like parts, and takes no other file for one of them."""
    part = tmp_path / part_rel("", "0" * 32, 2)
    assert companions_of(part) == []
    for kind in KINDS:
        companion_part(part, kind).write_text("told")
        assert is_part(companion_part(part, kind).name)
    assert [path.suffix for path in companions_of(part)] == list(KINDS)
    assert not is_part("photo.kernel.npy")


def test_long_names_leave_room_for_the_ending() -> None:
    """Where a name is too long, the output's name is cut, and never the ending."""
    rel = companion_rel("folder/" + "ä" * 120 + ".png", KERNEL_WEIGHTS, "-1a2b3c4d")
    assert rel.endswith("-1a2b3c4d.kernel.npy")
    assert len(Path(rel).name.encode()) <= 255


def test_part_lies_beside_its_output_and_is_recognised() -> None:
    """A part is recognised, and no other hidden file is taken for one."""
    part = part_rel("sub/a_x2.png", "0" * 32, 3)
    assert part == "sub/." + "0" * 32 + ".3.part"
    assert is_part(Path(part).name)
    for other in (".hidden.part", "a.part", "x" + part, part + "x", "." + "g" * 32 + ".1.part"):
        assert not is_part(other)
