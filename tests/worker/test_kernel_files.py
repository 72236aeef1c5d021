"""KernelFiles: kernels are read from every format, and no file can harm the reader."""

import io
import os
import pickle
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.parts.daemon_parts import drop
from tests.parts.kernel_files import kernel_file, mat, npy
from zssr_daemon.daemon.kernel_check import configured_kernel
from zssr_daemon.errors import KernelError, SettingsError
from zssr_daemon.inbox.scan import InboxScan
from zssr_daemon.protocol.kernel_file import KERNEL_FILE_BYTES
from zssr_daemon.settings.load import load_settings
from zssr_daemon.settings.schema import Settings
from zssr_daemon.worker.kernel_files import find_beside, load_kernel

KERNEL = np.array([[0, 1, 2, 1], [1, 4, 9, 3], [0, 2, 1, 1]], dtype=np.uint8)


def picture(array: NDArray[Any], suffix: str) -> bytes:
    """Return a picture file of levels."""
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG" if suffix == "png" else "TIFF")
    return stream.getvalue()


GOOD = {
    "float64.npy": npy(KERNEL / 7),
    "float32.npy": npy(KERNEL.astype(np.float32)),
    "fortran.npy": npy(np.asfortranarray(KERNEL)),
    "v6.mat": mat({"kernel": KERNEL / 7}),
    "v7.mat": mat({"Kernel": KERNEL.astype(np.int32)}, is_compressed=True),
    "big_endian.mat": mat({"k": KERNEL / 7}, order=">"),
    "big_endian_v7.mat": mat({"PSF": KERNEL / 7}, order=">", is_compressed=True),
    "other_name.MAT": mat({"sigma": np.full((1, 1), 2.0), "my_blur_2": KERNEL.astype("f4")}),
    "several.mat": mat({"table": np.ones((5, 5)), "h": KERNEL, "z": np.ones((2, 2)) * 1j}),
    "grey.png": picture(KERNEL, "png"),
    "sixteen_bits.png": picture(KERNEL.astype(np.uint16) * 1000, "png"),
    "colour.png": picture(np.repeat(KERNEL[..., None], 3, axis=2), "png"),
    "floats.tif": picture(KERNEL.astype(np.float32) / 7, "tif"),
    "grey.tiff": picture(KERNEL, "tif"),
}


@pytest.mark.parametrize("name", GOOD)
def test_kernel_is_the_same_from_every_format(name: str) -> None:
    """Rows are rows, columns are columns; brightness does not count."""
    kernel = load_kernel(kernel_file(name, GOOD[name]), "topleft")
    np.testing.assert_allclose(kernel.weights, KERNEL / KERNEL.sum(), atol=1e-6)
    assert kernel.phase == "topleft"


class Bomb:
    """An object that, once unpickled, has run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("bomb_went_off",)


HUGE_HEADER = npy(np.ones((3, 3))).replace(b"(3, 3), ", b"(99999, 99999), ")
INFLATABLE = zlib.compress(b"\0" * 10**8)
#: A variable that alone would be small enough.
PADDING = mat({"padding": np.zeros((600, 100))}, is_compressed=True)[128:]
BAD = {
    "empty.npy": b"",
    "text.npy": b"1 2 1",
    "pickle.npy": pickle.dumps(Bomb()),
    "object.npy": npy(np.array([[Bomb()]], dtype=object), allow_pickle=True),
    "cut.npy": npy(KERNEL / 7)[:-20],
    "promising.npy": HUGE_HEADER,
    "flat.npy": npy(np.ones(9)),
    "dark.npy": npy(np.zeros((3, 3))),
    "nan.npy": npy(np.full((3, 3), np.nan)),
    "wide.npy": npy(np.ones((300, 300), np.uint8)),
    "large.npy": b"\0" * (KERNEL_FILE_BYTES + 1),
    "empty.mat": b"",
    "hdf5.mat": b"MATLAB 7.3 MAT-file".ljust(510) + b"\x89HDF",
    "nothing.mat": mat({}),
    "cut.mat": mat({"kernel": KERNEL / 7})[:-30],
    "cut_v7.mat": mat({"kernel": KERNEL / 7}, is_compressed=True)[:-9],
    "garbage.mat": mat({})[:128] + bytes(range(256)),
    "unclear.mat": mat({"one": np.ones((3, 3)), "two": np.ones((3, 3))}),
    "wrong_size.mat": mat({"kernel": KERNEL / 7}).replace(
        struct.pack("<2i", 3, 4), struct.pack("<2i", 3000, 4000)
    ),
    "bomb.mat": mat({})[:128] + struct.pack("<2I", 15, len(INFLATABLE)) + INFLATABLE,
    "bombs.mat": mat({"kernel": KERNEL / 7}) + PADDING * 20,
    "type_of_numbers.mat": mat({"kernel": KERNEL / 7}).replace(
        struct.pack("<2I", 9, 96), struct.pack("<2I", 200, 96)
    ),
    "three.mat": mat({"kernel": np.ones((2, 2, 2))}),
    "text.png": b"no picture",
    "jpeg.png": b"\xff\xd8\xff\xe0",
    "cut.png": picture(KERNEL, "png")[:-30],
    "wide.png": picture(np.ones((3, 102), np.uint8), "png"),
}


@pytest.mark.parametrize("name", BAD)
def test_broken_file_has_one_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Whatever is wrong: bad_kernel, with the file's name; nothing in it is executed."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KernelError, match=name.replace(".", r"\.")) as caught:
        load_kernel(kernel_file(name, BAD[name]), "centred")
    assert (caught.value.reason, caught.value.is_retryable) == ("bad_kernel", False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_give_a_kernel_or_the_reason(seed: int) -> None:
    """Bytes changed anywhere never raise anything else."""
    random = np.random.default_rng(seed)
    for name, content in GOOD.items():
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[random.integers(0, len(damaged), 3)] = random.integers(0, 256, 3)
        with suppress(KernelError):
            load_kernel(kernel_file(name, damaged.tobytes()), "centred")


def test_kernel_beside_an_image_is_found_by_whole_name_then_stem(tmp_path: Path) -> None:
    """a.png and a.jpg can have one each, or share one."""
    drop(tmp_path, "sub/a.png")
    assert find_beside(str(tmp_path), "sub/a.png") is None
    (tmp_path / "sub/a.kernel.mat").write_bytes(b"shared")
    shared = find_beside(str(tmp_path), "sub/a.png")
    assert shared == kernel_file("a.kernel.mat", b"shared")
    (tmp_path / "sub/a.png.kernel.npy").write_bytes(b"own")
    assert find_beside(str(tmp_path), "sub/a.png") == kernel_file("a.png.kernel.npy", b"own")
    assert find_beside(str(tmp_path), "sub/a.jpg") == shared


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo"])
def test_kernel_beside_an_image_is_a_plain_file(tmp_path: Path, kind: str) -> None:
    """A link could lead out of the inbox, and a fifo would be waited for."""
    (tmp_path / "secret.npy").write_bytes(GOOD["float64.npy"])
    path = tmp_path / "a.kernel.npy"
    make: dict[str, Callable[[], None]] = {
        "symlink": lambda: path.symlink_to(tmp_path / "secret.npy"),
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
    }
    make[kind]()
    with pytest.raises(KernelError, match=r"plain file|regular file"):
        find_beside(str(tmp_path), "a.png")


def test_a_name_too_long_for_a_kernel_beside_it_has_none(tmp_path: Path) -> None:
    """The image is processed as any other."""
    assert find_beside(str(tmp_path), "a" * 251 + ".png") is None


def test_kernels_are_no_candidates(tmp_path: Path) -> None:
    """Nor are they told of as files that are no images."""
    for name in ("a.kernel.npy", "a.png.kernel.mat"):
        (tmp_path / name).write_bytes(GOOD["float64.npy"])
    drop(tmp_path, "a.png")
    scan = InboxScan(tmp_path, is_recursive=True)
    assert [candidate.rel for candidate in scan] == ["a.png"]
    assert scan.ignored == []


def settings_with(folder: Path, degradation: str, zssr: str = "") -> Settings:
    """Return settings of a file in `folder`."""
    file = folder / "settings.toml"
    file.write_text(f"[zssr]\n{zssr}\n[degradation]\n{degradation}\n")
    return load_settings(file)


def test_kernel_of_the_settings_is_read_relative_to_them(tmp_path: Path) -> None:
    """As every path; without one nothing is read."""
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels/lens.mat").write_bytes(GOOD["v7.mat"])
    settings = settings_with(tmp_path, 'kernel = "kernels/lens.mat"\nkernel_phase = "topleft"')
    assert configured_kernel(settings) == kernel_file("lens.mat", GOOD["v7.mat"])
    assert settings.degradation.kernel_phase == "topleft"
    assert configured_kernel(settings_with(tmp_path, 'kernel = "bicubic"')) is None


@pytest.mark.parametrize(
    ("degradation", "zssr", "words"),
    [
        ('kernel = "gone.npy"', "", "no such file"),
        ('kernel = "broken.npy"', "", "broken.npy: "),
        ('kernel = "folder.npy"', "", "no such file"),
        ('kernel = "good.npy"', "scale_factor = 4.0\nscale_times = 2", "at most 8"),
        ('kernel = "good.txt"', "", '"bicubic", "estimate", "auto" or a file that ends in'),
        ('kernel = "estimate"', "scale_factor = 4.0\nscale_times = 2", "at most 8"),
        ('kernel = ""', "", '"bicubic", "estimate", "auto" or a file that ends in'),
        ('kernel_phase = "middle"', "", "'centred' or 'topleft'"),
    ],
)
def test_kernel_of_the_settings_is_tried_at_the_start(
    tmp_path: Path, degradation: str, zssr: str, words: str
) -> None:
    """With key, value and reason, and exit code 78."""
    (tmp_path / "good.npy").write_bytes(GOOD["float64.npy"])
    (tmp_path / "broken.npy").write_bytes(BAD["cut.npy"])
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(SettingsError) as caught:
        configured_kernel(settings_with(tmp_path, degradation, zssr))
    assert words in str(caught.value)
    assert degradation.split(" = ", maxsplit=1)[0] in str(caught.value)
    assert caught.value.exit_code == 78
