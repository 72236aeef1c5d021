"""File names: cut to 255 bytes between characters, tagged before their suffix, printable."""

import os

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES
from zssr_daemon.system import file_names


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("tag", ["", "-" + "0" * 32])
def test_names_fit_every_file_system(name: str, tag: str) -> None:
    """Whatever a file is called, its tagged and its temporary names have at most 255 bytes."""
    moved = file_names.tagged(f"sub/{name}", tag, reserve_bytes=11)
    assert len(os.fsencode(os.path.basename(moved))) <= 244  # noqa: PTH119
    assert tag in moved
    assert len(os.fsencode(file_names.part_beside(name))) <= 255


def test_a_character_is_never_cut_in_half() -> None:
    """A long stem is cut between two characters."""
    cut = file_names.cut_to_bytes("超" * 100, 255)
    assert cut == "超" * 85
    assert file_names.cut_to_bytes("超" * 100, 256) == cut


def test_cutting_to_nothing_ends() -> None:
    """Where no room is left, nothing is left; the cutting does not go on for ever."""
    assert file_names.cut_to_bytes("abc", -5) == ""


def test_suffix_that_is_most_of_the_name_is_no_suffix() -> None:
    """A tag must be visible, so an overlong suffix is cut like a stem."""
    assert file_names.tagged("a." + "s" * 253, "-1") == "a." + "s" * 251 + "-1"


def test_printable_is_always_utf8() -> None:
    """Bytes that are not UTF-8 are escaped; other names stay as they are."""
    assert file_names.printable("ä b") == "ä b"
    assert file_names.printable(os.fsdecode(b"\xff\xc3\xa4")) == "\\xffä"
    file_names.printable(os.fsdecode(bytes(range(1, 256)))).encode("utf-8")
