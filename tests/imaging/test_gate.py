"""The gate: damaged, cut, oversized and disguised files become a reason, never an accident."""

import io
import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.parts.picture_files import (
    LIMITS,
    decode_path,
    inspect_path,
    levels,
    png,
    png_chunk,
    smooth_picture,
)
from zssr_daemon.errors import UNFINISHED_REASONS, ImageError
from zssr_daemon.imaging.decode import inspect
from zssr_daemon.imaging.formats import ImageLimits


def reason(path: Path, limits: ImageLimits = LIMITS) -> str:
    """Return the slug with which a file is refused."""
    with pytest.raises(ImageError) as caught:
        inspect_path(path, limits)
    return caught.value.reason


def encoded(format_name: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return a small file of the format, with noise so that there is something to cut."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(buffer, format_name, **options)
    return buffer.getvalue()


FILES = {
    "PNG": encoded("PNG"),
    "PNG grey": encoded("PNG", "L"),
    "JPEG": encoded("JPEG"),
    "JPEG progressive": encoded("JPEG", progressive=True),
    "WEBP": encoded("WEBP"),
    "WEBP lossless": encoded("WEBP", lossless=True),
    "TIFF": encoded("TIFF"),
    "TIFF lzw": encoded("TIFF", compression="tiff_lzw"),
    "TIFF deflate": encoded("TIFF", compression="tiff_adobe_deflate"),
    "TIFF jpeg": encoded("TIFF", compression="jpeg"),
    "TIFF packbits": encoded("TIFF", compression="packbits"),
    "BMP": encoded("BMP"),
    "BMP grey": encoded("BMP", "L"),
    "AVIF": encoded("AVIF"),
}
WHERE = [0.02, 0.1, 0.3, 0.5, 0.8, 0.95, 0.99]


@pytest.mark.parametrize("part", WHERE)
@pytest.mark.parametrize("name", FILES)
def test_cut_file_is_truncated(tmp_path: Path, name: str, part: float) -> None:
    """A file that ends early, wherever it was cut, is one still being written."""
    data = FILES[name]
    (tmp_path / "a").write_bytes(data[: max(16, int(len(data) * part))])
    assert reason(tmp_path / "a") == "truncated"


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 8, 11])
@pytest.mark.parametrize("name", FILES)
def test_last_bytes_count(tmp_path: Path, name: str, missing: int) -> None:
    """Even the last bytes: a cut file is refused, or has every pixel of the whole one."""
    data = FILES[name]
    (tmp_path / "whole").write_bytes(data)
    (tmp_path / "cut").write_bytes(data[:-missing])
    try:
        cut = decode_path(tmp_path / "cut")
    except ImageError as error:
        assert error.reason == "truncated"
    else:
        np.testing.assert_array_equal(cut.pixels, decode_path(tmp_path / "whole").pixels)


@pytest.mark.parametrize("name", ["JPEG", "JPEG progressive", "PNG"])
def test_tail_of_zeros_is_not_a_picture(tmp_path: Path, name: str) -> None:
    """A copy that reserved its space first has the final size, and zeros where data will be."""
    data = FILES[name]
    (tmp_path / "a").write_bytes(data[: len(data) // 2].ljust(len(data), b"\0"))
    assert reason(tmp_path / "a") in UNFINISHED_REASONS


def test_empty_file_is_truncated(tmp_path: Path) -> None:
    """0 bytes are the beginning of a copy."""
    (tmp_path / "a.png").touch()
    assert reason(tmp_path / "a.png") == "truncated"


@pytest.mark.parametrize("name", FILES)
def test_rubbish_inside_never_escapes_as_another_error(tmp_path: Path, name: str) -> None:
    """Whatever bytes a decoder meets, it ends in pixels or in an ImageError."""
    rng = np.random.default_rng(7)
    for _ in range(40):
        data = bytearray(FILES[name])
        for place in rng.integers(0, len(data), 6):
            data[place] = rng.integers(0, 256)
        data[: len(data) // 8] = (
            FILES[name][: len(data) // 8] if rng.random() < 0.5 else data[: len(data) // 8]
        )
        (tmp_path / "a").write_bytes(data)
        try:
            image = decode_path(tmp_path / "a")
        except ImageError as error:
            assert error.reason
        else:
            assert np.isfinite(image.pixels).all()


def test_damaged_pixels_are_corrupt(tmp_path: Path) -> None:
    """A complete file whose pixels do not decode is damaged, not unfinished."""
    data = bytearray(FILES["PNG"])
    place = data.index(b"IDAT") + 40
    data[place : place + 200] = bytes(200)
    (tmp_path / "a.png").write_bytes(data)
    assert reason(tmp_path / "a.png") == "corrupt"


@pytest.mark.parametrize(
    "content",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"8BPS\0\x01" + bytes(20),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"BMW is no bitmap and this is no image",
        b"P",
    ],
)
def test_suffix_decides_nothing(tmp_path: Path, content: bytes) -> None:
    """EPS named .png is EPS: only the content's own magic opens a decoder."""
    (tmp_path / "a.png").write_bytes(content)
    assert reason(tmp_path / "a.png") == "unsupported_format"


@pytest.mark.parametrize("frame", [0xC3, 0xC5, 0xF7])
def test_a_jpeg_of_another_coding_is_not_damaged(tmp_path: Path, frame: int) -> None:
    """Lossless, hierarchical and JPEG-LS say so in their frame header."""
    data = bytearray(FILES["JPEG"])
    data[data.index(b"\xff\xc0") + 1] = frame
    (tmp_path / "a.jpg").write_bytes(data)
    assert reason(tmp_path / "a.jpg") == "unsupported_format"


def test_wrong_suffix_is_no_fault(tmp_path: Path) -> None:
    """A JPEG named .png is read as the JPEG it is."""
    (tmp_path / "a.png").write_bytes(FILES["JPEG"])
    assert inspect_path(tmp_path / "a.png").format == "JPEG"


def test_a_container_without_a_picture_is_refused(tmp_path: Path) -> None:
    """Brands alone are nothing to enlarge."""
    box = struct.pack(">I4s4sI4s", 20, b"ftyp", b"mif1", 0, b"heic")
    (tmp_path / "a.heic").write_bytes(box + struct.pack(">I4s", 8, b"mdat"))
    assert reason(tmp_path / "a.heic") in {"unsupported_format", "corrupt"}


@pytest.mark.parametrize("size", [(401, 250), (20_000, 20_000), (1 << 30, 1 << 30)])
def test_bomb_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    """Just above the limit, or far above: no memory is spent on it."""
    (tmp_path / "a.png").write_bytes(png(size, 8, 0, bytes(10)))
    assert reason(tmp_path / "a.png") == "too_many_pixels"


@pytest.mark.parametrize("name", FILES)
def test_pixel_limit_holds_for_every_format(tmp_path: Path, name: str) -> None:
    """One pixel more than allowed is too many; as many as allowed are not."""
    (tmp_path / "a").write_bytes(FILES[name])
    allowed = ImageLimits(max_file_bytes=1 << 20, max_input_pixels=2000)
    assert inspect_path(tmp_path / "a", allowed).width == 50
    below = ImageLimits(max_file_bytes=1 << 20, max_input_pixels=1999)
    assert reason(tmp_path / "a", below) == "too_many_pixels"


def test_pillows_own_settings_are_put_back(tmp_path: Path) -> None:
    """The process-wide pixel limit and warning filters are as before, after good and bad files."""
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    (tmp_path / "a.png").write_bytes(FILES["PNG"])
    inspect_path(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png((9000, 9000), 8, 0, bytes(10)))
    assert reason(tmp_path / "b.png") == "too_many_pixels"
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def test_header_that_promises_more_rows_than_there_are(tmp_path: Path) -> None:
    """A lying header does not give a picture with invented rows."""
    (tmp_path / "a.png").write_bytes(png((4, 100), 8, 0, bytes(10)))
    assert reason(tmp_path / "a.png") in {"corrupt", "truncated"}


def test_text_bomb_costs_the_text_only(tmp_path: Path) -> None:
    """A compressed text that unpacks to megabytes is dropped and noted."""
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000)))
    (tmp_path / "a.png").write_bytes(png((1, 1), 8, 0, b"\0\x42", text))
    image = decode_path(tmp_path / "a.png")
    assert levels(image).tolist() == [[[0x42]]]
    assert image.info.note is not None
    assert "metadata dropped" in image.info.note


def test_file_size_limit(tmp_path: Path) -> None:
    """The limit is on bytes, and exact."""
    data = FILES["PNG"]
    (tmp_path / "a.png").write_bytes(data)
    exact = ImageLimits(max_file_bytes=len(data), max_input_pixels=100_000)
    assert inspect_path(tmp_path / "a.png", exact).width == 50
    below = ImageLimits(max_file_bytes=len(data) - 1, max_input_pixels=100_000)
    assert reason(tmp_path / "a.png", below) == "file_too_large"


def test_disk_errors_are_not_the_files_fault(tmp_path: Path) -> None:
    """What the kernel says about the disk passes through with its errno."""
    fd = os.open(tmp_path, os.O_RDONLY)  # reading a folder fails in the kernel
    try:
        with pytest.raises(OSError, match="directory") as caught:
            inspect(fd, LIMITS)
    finally:
        os.close(fd)
    assert caught.value.errno is not None


def test_descriptor_position_does_not_matter(tmp_path: Path) -> None:
    """The same descriptor serves several readers, one after the other."""
    smooth_picture().save(tmp_path / "a.png")
    fd = os.open(tmp_path / "a.png", os.O_RDONLY)
    try:
        os.lseek(fd, 50, os.SEEK_SET)
        assert inspect(fd, LIMITS) == inspect(fd, LIMITS)
    finally:
        os.close(fd)
