"""BitDepth: depths that would be cut are refused, by the header."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.parts.picture_files import (
    decode_path,
    grey_tiff,
    inspect_path,
    levels,
    page,
    smooth_picture,
)
from zssr_daemon.errors import ImageError

UNSUPPORTED = {
    "float24.tif": grey_tiff((1, 1), 24, bytes(3), sample_format=3),
    "complex.tif": grey_tiff((1, 1), 64, bytes(8), sample_format=6),
    "int64.tif": grey_tiff((1, 1), 64, bytes(8), sample_format=2),
    "int32.tif": grey_tiff((3, 1), 32, struct.pack("<3I", 0, 1, (1 << 24) + 1)),
    "white-is-zero float.tif": page(0, (32,), bytes(8), kind=3),
    "L12.tif": grey_tiff((2, 1), 12, bytes(3)),
    "CMYK16.tif": page(5, (16,) * 4, bytes(16)),
    "LAB16.tif": page(8, (16,) * 3, bytes(12)),
    "palette16.tif": page(3, (16,), bytes(4)),
    "mixed.tif": page(2, (16, 16, 8), bytes(10)),
    "CMYK16-extra.tif": page(5, (16,) * 5, bytes(20), extra=(0,)),
    "palette-extra.tif": page(3, (8,) * 2, bytes(4), extra=(0,)),
    "YCbCr-extra.tif": page(6, (8,) * 4, bytes(8), extra=(0,)),
    "17 samples.tif": page(2, (16,) * 17, bytes(68), extra=(0,) * 14),
    "mixed formats.tif": page(1, (16,) * 2, bytes(8), extra=(0,), kind=(1, 2)),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_depth_that_would_be_cut_is_refused(tmp_path: Path, name: str) -> None:
    """What cannot be kept is refused with a reason, never cut to 8 bits."""
    (tmp_path / name).write_bytes(UNSUPPORTED[name])
    with pytest.raises(ImageError, match="not supported") as caught:
        inspect_path(tmp_path / name)
    assert caught.value.reason == "unsupported_depth"


def test_hand_made_tiff_is_a_good_one(tmp_path: Path) -> None:
    """The refusals above are about depth: the same file with 8 bits is read."""
    (tmp_path / "a.tif").write_bytes(grey_tiff((2, 1), 8, b"\x07\x09"))
    np.testing.assert_array_equal(levels(decode_path(tmp_path / "a.tif"))[0, :, 0], [7, 9])


def test_12_bit_jpeg_is_refused(tmp_path: Path) -> None:
    """The precision stands in the frame header."""
    buffer = io.BytesIO()
    smooth_picture().save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    data[data.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(ImageError) as caught:
        inspect_path(tmp_path / "a.jpg")
    assert caught.value.reason == "unsupported_depth"


def test_10_bit_avif_is_refused(tmp_path: Path) -> None:
    """The depth stands in the codec's configuration record, where Pillow does not look."""
    smooth_picture().save(tmp_path / "a.avif")
    data = bytearray((tmp_path / "a.avif").read_bytes())
    data[data.index(b"av1C") + 6] |= 0x40
    (tmp_path / "a.avif").write_bytes(data)
    with pytest.raises(ImageError) as caught:
        inspect_path(tmp_path / "a.avif")
    assert caught.value.reason == "unsupported_depth"
