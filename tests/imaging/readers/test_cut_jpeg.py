"""A JPEG without its end: refused, or taken as far as it is there, and said so."""

import io
from dataclasses import replace

import numpy as np
import pytest

from tests.parts.picture_files import LIMITS, levels, smooth_picture
from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.decode import decode

ACCEPT = replace(LIMITS, accepts_cut=True)


def jpeg(**options: object) -> bytes:
    """Return a JPEG of 128 × 96 pixels."""
    buffer = io.BytesIO()
    smooth_picture(128, 96).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def test_it_is_refused_unless_asked_for() -> None:
    """Whatever is missing."""
    for data in (jpeg()[:-2], jpeg()[:-200]):
        with pytest.raises(ImageError) as caught:
            decode(data, LIMITS)
        assert caught.value.reason == "truncated"


@pytest.mark.parametrize("end", [b"", b"\xff", b"\0" * 500])
def test_only_the_end_marker_is_missing(end: bytes) -> None:
    """Every pixel is there; zeros at the end were reserved for a copy."""
    image = decode(jpeg()[:-2] + end, ACCEPT)
    np.testing.assert_array_equal(image.pixels, decode(jpeg(), LIMITS).pixels)
    assert image.info.note == "the file is cut: only its end marker is missing"
    assert image.info.is_cut


@pytest.mark.parametrize("part", [0.5, 0.7, 0.9])
def test_missing_rows_are_counted(part: float) -> None:
    """The rows that are there are those of the whole file; the note counts the others."""
    data = jpeg()
    cut = decode(data[: int(len(data) * part)], ACCEPT)
    whole = levels(decode(data, LIMITS))
    wrong = (levels(cut) != whole).any(axis=(1, 2))
    missing = 96 - int(wrong.argmax())
    assert 0 < missing < 96
    assert cut.info.note == f"the file is cut: the last {missing} of 96 rows are missing"


def test_a_progressive_one_says_no_number() -> None:
    """All rows are there, some of them coarse; nobody can tell which. It may end in any place."""
    data = jpeg(progressive=True)
    for length in range(data.index(b"\xff\xda") + 60, len(data) - 1, 7):
        note = decode(data[:length], ACCEPT).info.note
        assert note == "the file is cut: its end marker is missing, and details may be"


@pytest.mark.parametrize("part", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_what_has_no_row_is_refused_all_the_same(part: float, options: dict[str, bool]) -> None:
    """A file cut within its header, or before its first row, has nothing to enlarge."""
    data = jpeg(**options)
    start = data.index(b"\xff\xda")
    with pytest.raises(ImageError) as caught:
        decode(data[: int(start * part)], ACCEPT)
    assert caught.value.reason in {"truncated", "corrupt", "unsupported_format"}


def test_a_whole_file_is_not_called_cut() -> None:
    """The setting changes nothing for it."""
    info = decode(jpeg(), ACCEPT).info
    assert (info.note, info.is_cut) == (None, False)


def test_other_formats_are_refused_all_the_same() -> None:
    """The setting is about JPEGs."""
    buffer = io.BytesIO()
    smooth_picture().save(buffer, "PNG")
    with pytest.raises(ImageError) as caught:
        decode(buffer.getvalue()[:-30], ACCEPT)
    assert caught.value.reason == "truncated"
