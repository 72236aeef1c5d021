"""Formats and identity as plain data."""

import io
import os
from pathlib import Path

import pytest

from tests.parts.picture_files import smooth_picture
from zssr_daemon.imaging.formats import HEAD_BYTES, IMAGE_SUFFIXES, looks_like_image, sniff_format
from zssr_daemon.system.file_identity import FileIdentity


@pytest.mark.parametrize(
    "name", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "AVIF", "GIF", "PPM", "JPEG2000"]
)
def test_every_allowed_format_is_recognised(name: str) -> None:
    """The first bytes are enough."""
    buffer = io.BytesIO()
    smooth_picture().save(buffer, name)
    assert sniff_format(buffer.getvalue()[:HEAD_BYTES]) == name


@pytest.mark.parametrize(
    "head",
    [b"", b"B", b"BM", b"GIF88a", b"%!PS-Adobe-3.0 EPSF", b"RIFF\0\0\0\0WAVEfmt ", bytes(16)],
)
def test_other_content_is_no_image(head: bytes) -> None:
    """Too short, or of a kind that is not read."""
    assert not looks_like_image(head)


def test_suffixes_are_lower_case_with_their_dot() -> None:
    """As `Path.suffix.lower()` gives them."""
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in IMAGE_SUFFIXES)
    assert ".eps" not in IMAGE_SUFFIXES


def test_identity_changes_with_the_file(tmp_path: Path) -> None:
    """Same file, same identity; another size, time or inode, another one."""
    path = tmp_path / "a"
    path.write_bytes(b"1")
    first = FileIdentity.from_stat(path.stat())
    assert FileIdentity.from_stat(path.stat()) == first
    os.utime(path, ns=(0, 12345))
    assert FileIdentity.from_stat(path.stat()).mtime_ns == 12345
    assert FileIdentity.from_stat(path.stat()) != first
