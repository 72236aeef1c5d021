"""Sealed memory: an honest picture comes through, and anything else is a damaged file."""

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parts.picture_files import LIMITS, png
from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.decode import load
from zssr_daemon.imaging.samples.decoded import Loaded
from zssr_daemon.worker.confined.sealed_picture import max_sealed_bytes, seal, unseal

ALL_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


@pytest.fixture
def loaded() -> Loaded:
    """Return a loaded picture of 2 × 1 pixels."""
    return load(png((2, 1), 8, 0, b"\0\x07\x09"), LIMITS)


def memory(content: bytes, seals: int = ALL_SEALS) -> int:
    """Return memory of any content, sealed as asked."""
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def forged(loaded: Loaded, change: Callable[[dict[str, Any]], object], pixels: bytes) -> int:
    """Return sealed memory with a changed header, and other pixels behind it."""
    fd = seal(loaded)
    content = os.pread(fd, 1 << 20, 0)
    os.close(fd)
    end = 8 + int.from_bytes(content[:8], "big")
    header = json.loads(content[8:end])
    change(header)
    text = json.dumps(header).encode()
    return memory(len(text).to_bytes(8, "big") + text + pixels)


def test_a_picture_comes_through(loaded: Loaded) -> None:
    """Samples, orientation, description and metadata."""
    fd = seal(loaded)
    back = unseal(fd, LIMITS)
    os.close(fd)
    np.testing.assert_array_equal(back.samples, loaded.samples)
    assert (back.orientation, back.info) == (loaded.orientation, loaded.info)
    assert back.metadata == loaded.metadata


def test_nobody_can_write_to_it_any_more(loaded: Loaded) -> None:
    """Neither its content nor its size changes while it is read."""
    fd = seal(loaded)
    with pytest.raises(PermissionError):
        os.pwrite(fd, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    os.close(fd)


@pytest.mark.parametrize("seals", [0, fcntl.F_SEAL_WRITE, ALL_SEALS & ~fcntl.F_SEAL_SHRINK])
def test_memory_that_can_change_is_refused(loaded: Loaded, seals: int) -> None:
    """All seals have to be there."""
    sealed = seal(loaded)
    fd = memory(os.pread(sealed, 1 << 20, 0), seals)
    with pytest.raises(ImageError, match="not sealed") as caught:
        unseal(fd, LIMITS)
    assert caught.value.reason == "corrupt"
    os.close(fd)
    os.close(sealed)


def test_a_file_is_refused(tmp_path: Path) -> None:
    """A descriptor of anything but memory has no seals."""
    (tmp_path / "a").write_bytes(bytes(100))
    with (tmp_path / "a").open("rb") as file, pytest.raises(ImageError, match="not sealed"):
        unseal(file.fileno(), LIMITS)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(shape=[1 << 40, 1, 1]),
        lambda header: header.update(shape=[1, 3, 1]),
        lambda header: header.update(shape=[1, 1, 2]),
        lambda header: header.update(shape=[-1, -2, 1]),
        lambda header: header.update(shape=[1, 2, 99]),
        lambda header: header.update(kind="uint16"),
        lambda header: header.update(kind="object"),
        lambda header: header.update(orientation=9),
        lambda header: header.update(orientation=6),
        lambda header: header.update(more=1),
        lambda header: header["info"].update(bit_depth=16),
        lambda header: header["info"].update(width=7),
        lambda header: header["info"].update(channels=3),
        lambda header: header["metadata"].update(icc=5),
    ],
)
def test_a_lying_header_is_refused(loaded: Loaded, change: Callable[..., object]) -> None:
    """The description has to be that of the bytes behind it."""
    fd = forged(loaded, change, b"\x07\x09")
    with pytest.raises(ImageError, match="gave no picture"):
        unseal(fd, LIMITS)
    os.close(fd)


@pytest.mark.parametrize(
    "content",
    [b"", bytes(8), b"\xff" * 100, bytes(7) + b"\x02{}", bytes(7) + b"\x05hello" + bytes(9)],
)
def test_rubbish_is_refused(content: bytes) -> None:
    """Whatever a broken child leaves."""
    fd = memory(content)
    with pytest.raises(ImageError, match="gave no picture"):
        unseal(fd, LIMITS)
    os.close(fd)


def test_its_size_is_bounded_by_the_limit_of_pixels() -> None:
    """More memory than an honest picture needs is not even mapped."""
    fd = os.memfd_create("test", os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, max_sealed_bytes(LIMITS) + 1)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, ALL_SEALS)
    with pytest.raises(ImageError, match="bytes"):
        unseal(fd, LIMITS)
    os.close(fd)
