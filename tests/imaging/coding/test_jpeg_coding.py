"""JPEG coding: the tables that a file tells are those of its upright pixels."""

import io
from typing import Any

import pytest
from PIL import Image

from tests.parts.picture_files import smooth_picture
from zssr_daemon.imaging.coding.jpeg_coding import read_jpeg_tables
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables

STEPS = tuple(range(1, 65))
CHROMA_STEPS = tuple(range(2, 130, 2))


def content(mode: str = "RGB", file_format: str = "JPEG", **options: Any) -> bytes:
    """Return a picture of 43 × 21 pixels as a file."""
    stream = io.BytesIO()
    smooth_picture(43, 21).convert(mode).save(stream, file_format, **options)
    return stream.getvalue()


def exif(orientation: int) -> Image.Exif:
    """Return EXIF data that tells how to turn a picture upright."""
    found = Image.Exif()
    found[0x0112] = orientation
    return found


@pytest.mark.parametrize(
    ("subsampling", "shrunk"), [("4:4:4", (1, 1)), ("4:2:2", (1, 2)), ("4:2:0", (2, 2))]
)
@pytest.mark.parametrize("is_progressive", [False, True])
def test_steps_and_shrinking_are_read(
    subsampling: str, shrunk: tuple[int, int], is_progressive: bool
) -> None:
    """Of any JPEG, and they are the file's own."""
    data = content(
        qtables=[list(STEPS), list(CHROMA_STEPS)],
        subsampling=subsampling,
        progressive=is_progressive,
    )
    expected = JpegTables(luma=STEPS, chroma=(CHROMA_STEPS, CHROMA_STEPS), shrunk=shrunk)
    assert read_jpeg_tables(data) == expected


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tables_are_turned_with_the_pixels(orientation: int) -> None:
    """From orientation 5 on rows and columns are exchanged; a flip changes nothing."""
    data = content(exif=exif(orientation), subsampling="4:2:2", quality=60)
    stored = JpegTables.of_quality(60, shrunk=(1, 2))
    assert read_jpeg_tables(data) == (stored if orientation < 5 else stored.transposed)


def test_chroma_shrunk_in_one_way_only_is_told_apart() -> None:
    """4:4:0 is what 4:2:2 becomes in a file that was turned without loss."""
    data = content(subsampling="4:2:2", quality=60)
    at = data.index(b"\xff\xc0") + 11  # the sampling factors of the luma
    assert data[at] == 0x21
    turned = data[:at] + b"\x12" + data[at + 1 :]
    assert read_jpeg_tables(turned) == JpegTables.of_quality(60, shrunk=(2, 1))


def test_grey_has_tables_and_phone_pictures_have_those_of_the_first() -> None:
    """What is asked of the chroma there does not matter."""
    grey = read_jpeg_tables(content("L", quality=30))
    assert grey is not None
    assert grey.quality == 30
    phone = content(quality=40, file_format="MPO", save_all=True, append_images=[smooth_picture(8)])
    assert read_jpeg_tables(phone) == JpegTables.of_quality(40)


def test_other_files_have_no_tables() -> None:
    """Nor have JPEGs whose channels are no luma and chroma."""
    files = [content(file_format="PNG"), content("CMYK"), content(keep_rgb=True)]
    assert [read_jpeg_tables(each) for each in files] == [None] * 3
