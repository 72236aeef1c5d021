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


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2026-11-25 10:30:00.png", "2026-11-25 10_30_00.png"),
        ('a<b>c"d|e?f*g\\h.png', "a_b_c_d_e_f_g_h.png"),
        ("tab\tline\n\x7f.png", "tab_line__.png"),
        ("photo.", "photo_"),
        ("photo. .", "photo___"),
        ("what?/a:b. /c.png", "what_/a_b__/c.png"),
        ("CON", "CON_"),
        ("nul.png", "nul_.png"),
        ("Com1.tar.gz", "Com1_.tar.gz"),
        ("LPT³.png", "LPT³_.png"),
        ("aux .png", "aux _.png"),
        ("aux/prn.png", "aux_/prn_.png"),
        (os.fsdecode(b"\xff\xc3\xa4.png"), "_ä.png"),
        ("", ""),
        *[(name, name) for name in ("a.png", ".a.png", "ä b.png", "COM10.png", "console.png")],
        *[(name, name) for name in ("a_x2.png", "超.png", "sub/deep/a.png", "null", "-rf.png")],
    ],
)
def test_names_that_windows_accepts(name: str, expected: str) -> None:
    """What it refuses is replaced, folder by folder; all else stays, and so does what is legal."""
    assert file_names.legal(name) == expected
    assert file_names.legal(expected) == expected


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_legal_names_are_no_longer(name: str) -> None:
    """A name that fitted before still fits."""
    assert len(os.fsencode(file_names.legal(name))) <= len(os.fsencode(name))
