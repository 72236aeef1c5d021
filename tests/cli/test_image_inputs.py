"""ImageInput: what is named on the command line, each image once, and what is wrong with it."""

import os
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, drop
from zssr_daemon.cli.image_inputs import image_inputs
from zssr_daemon.settings.schema import Watch


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("-", "standard input is not read"),
        ("https://example.org/a.png", "addresses are not fetched: download the image"),
        ("s3://bucket/a.png", "addresses are not fetched"),
        ("gone.png", "No such file or folder: gone.png"),
    ],
)
def test_faults_have_clear_words(text: str, told: str) -> None:
    """They are told for that name, and say what to do."""
    (found,) = image_inputs([text], Watch())
    assert found.told == text
    assert found.fault is not None
    assert found.fault.startswith(told)


def test_empty_folder_is_told(tmp_path: Path) -> None:
    """Nobody takes it for a folder that is done."""
    (tmp_path / "notes.txt").write_text("no image")
    (found,) = image_inputs([str(tmp_path)], Watch())
    assert found.fault == "there is no image in this folder"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_any_name_is_found(tmp_path: Path, name: str) -> None:
    """Named or in a folder, once."""
    image = drop(tmp_path / "sub", name)
    found = image_inputs([str(image), str(tmp_path), str(tmp_path / "sub")], Watch())
    assert [each.path for each in found] == [image]


def test_outputs_of_a_link_lie_beside_it(tmp_path: Path) -> None:
    """A link that is named is followed; its own name and folder count for the output."""
    image = drop(tmp_path / "store")
    (tmp_path / "link.png").symlink_to(image)
    (found,) = image_inputs([str(tmp_path / "link.png")], Watch())
    assert (found.path, found.name, found.beside) == (image, "link.png", tmp_path)


def test_settings_of_the_walk_count(tmp_path: Path) -> None:
    """`recursive` and `ignore`, as for the inbox."""
    for name in ("a.png", "b.bak.png", "sub/c.png"):
        drop(tmp_path, name)
    watch = Watch(recursive=False, ignore=("*.bak.png",))
    assert [each.rel for each in image_inputs([str(tmp_path)], watch)] == ["a.png"]


def test_folder_that_may_not_be_read(tmp_path: Path) -> None:
    """The message is in words."""
    if os.geteuid() == 0:
        (tmp_path / "deep").symlink_to("deep")  # root may read everything, but no loop
        (found,) = image_inputs([str(tmp_path / "deep")], Watch())
        assert found.fault == f"Too many levels of symbolic links: {tmp_path / 'deep'}"
    else:
        tmp_path.chmod(0)
        (found,) = image_inputs([str(tmp_path)], Watch())
        assert found.fault == f"Permission denied: {tmp_path}"
