"""Writing images: rounding, refusal of nonsense, comments, and reading back."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from zssr_daemon.encode import encode, verify
from zssr_daemon.errors import JobError
from zssr_daemon.metadata import ImageMetadata

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a new file."""
    descriptor = os.open(tmp_path / "out.png", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def write(
    fd: int,
    pixels: NDArray[np.floating],
    alpha: NDArray[np.floating] | None = None,
    **options: Any,
) -> None:
    """Encode with defaults."""
    defaults: dict[str, Any] = {
        "bit_depth": 8,
        "metadata": ImageMetadata(),
        "keep_metadata": True,
        "comments": {},
    }
    encode(pixels, alpha, fd, **(defaults | options))


def read(tmp_path: Path) -> NDArray[np.generic]:
    """Return what Pillow finds in the written file."""
    with Image.open(tmp_path / "out.png") as picture:
        return np.asarray(picture)


@pytest.mark.parametrize(
    ("value", "level"),
    [(-0.5, 0), (0, 0), (0.499 / 255, 0), (0.501 / 255, 1), (254.6 / 255, 255), (1, 255), (7, 255)],
)
def test_values_are_rounded_and_clipped(fd: int, tmp_path: Path, value: float, level: int) -> None:
    """To the nearest level: truncation would darken every image by half a level."""
    write(fd, np.full((2, 3, 1), value, np.float32))
    np.testing.assert_array_equal(read(tmp_path), np.full((2, 3), level))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("in_alpha", [False, True])
def test_not_finite_fails_the_job(fd: int, value: float, in_alpha: bool) -> None:
    """NaN or infinity has no level; nothing is written."""
    pixels = np.zeros((2, 2, 3), np.float32)
    alpha = np.zeros((2, 2), np.float32)
    (alpha if in_alpha else pixels)[1, 1] = value
    with pytest.raises(JobError) as caught:
        write(fd, pixels, alpha)
    assert caught.value.reason == "not_finite"
    assert os.fstat(fd).st_size == 0


@pytest.mark.parametrize(
    ("channels", "has_alpha", "bit_depth"),
    [(2, False, 8), (3, False, 16), (1, True, 16), (1, False, 4)],
)
def test_kinds_that_cannot_be_written(
    fd: int, channels: int, has_alpha: bool, bit_depth: int
) -> None:
    """They are the caller's mistake."""
    alpha = np.zeros((2, 2), np.float32) if has_alpha else None
    with pytest.raises(ValueError, match="cannot be written"):
        write(fd, np.zeros((2, 2, channels), np.float32), alpha, bit_depth=bit_depth)


def test_comments_are_png_text(fd: int, tmp_path: Path) -> None:
    """The parameters of the run can be read by any viewer, whatever their alphabet."""
    comments = {"Software": "zssr_daemon 0.1.0", "zssr": '{"scale": 2, "kernel": "δ"}'}
    write(fd, np.zeros((2, 2, 3), np.float32), comments=comments, keep_metadata=False)
    with Image.open(tmp_path / "out.png") as picture:
        picture.load()
        assert picture.info == comments


def test_full_disk_is_not_the_jobs_fault() -> None:
    """ENOSPC passes through as what it is."""
    fd = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="space") as caught:
            write(fd, np.zeros((200, 200, 3), np.float32))
    finally:
        os.close(fd)
    assert caught.value.errno == errno.ENOSPC


def test_descriptor_stays_open(fd: int) -> None:
    """The caller has still to fsync it."""
    write(fd, np.zeros((2, 2, 3), np.float32))
    os.fsync(fd)
    assert os.fstat(fd).st_size > 0


def test_equal_images_give_equal_files(tmp_path: Path) -> None:
    """No date and no chance goes into the file."""
    contents = []
    for name in ("a", "b"):
        descriptor = os.open(tmp_path / name, os.O_RDWR | os.O_CREAT)
        write(descriptor, np.full((5, 4, 3), 0.3, np.float32), metadata=ImageMetadata(icc=SRGB))
        os.close(descriptor)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


KINDS = [(1, False, 8), (1, True, 8), (3, False, 8), (3, True, 8), (1, False, 16)]


@pytest.mark.parametrize(("channels", "has_alpha", "bit_depth"), KINDS)
def test_verify_accepts_what_encode_wrote(
    fd: int, channels: int, has_alpha: bool, bit_depth: int
) -> None:
    """Every kind is read back through the same descriptor."""
    alpha = np.ones((4, 5), np.float32) if has_alpha else None
    write(fd, np.full((4, 5, channels), 0.5, np.float32), alpha, bit_depth=bit_depth)
    verify(fd, width=5, height=4, channels=channels, has_alpha=has_alpha, bit_depth=bit_depth)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width": 6},
        {"height": 3},
        {"channels": 1},
        {"has_alpha": True},
        {"channels": 1, "bit_depth": 16},
        {"icc": SRGB},
    ],
)
def test_verify_refuses_another_picture(fd: int, wrong: dict[str, Any]) -> None:
    """Size, channels, alpha, depth and profile are compared."""
    write(fd, np.zeros((4, 5, 3), np.float32))
    expected = {"width": 5, "height": 4, "channels": 3, "has_alpha": False, "bit_depth": 8}
    verify(fd, **expected)  # type: ignore[arg-type]
    with pytest.raises(JobError) as caught:
        verify(fd, **(expected | wrong))
    assert caught.value.reason == "output_invalid"


def test_verify_compares_the_profile(fd: int) -> None:
    """A profile that was written is found again."""
    write(fd, np.zeros((4, 5, 3), np.float32), metadata=ImageMetadata(icc=SRGB))
    verify(fd, width=5, height=4, channels=3, has_alpha=False, bit_depth=8, icc=SRGB)


@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.999])
def test_verify_refuses_half_a_file(fd: int, part: float) -> None:
    """Every pixel must be there, and the end too."""
    rng = np.random.default_rng(0)
    write(fd, rng.random((40, 50, 3)))
    os.ftruncate(fd, int(os.fstat(fd).st_size * part))
    with pytest.raises(JobError) as caught:
        verify(fd, width=50, height=40, channels=3, has_alpha=False, bit_depth=8)
    assert caught.value.reason == "output_invalid"


def test_verify_refuses_damage(fd: int) -> None:
    """A byte that rotted on its way to the disk is noticed."""
    write(fd, np.random.default_rng(0).random((40, 50, 3)))
    os.pwrite(fd, bytes(50), os.fstat(fd).st_size // 2)
    with pytest.raises(JobError) as caught:
        verify(fd, width=50, height=40, channels=3, has_alpha=False, bit_depth=8)
    assert caught.value.reason == "output_invalid"
