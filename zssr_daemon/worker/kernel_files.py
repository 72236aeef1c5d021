"""KernelFiles: blur kernels read from files, and estimated ones written beside an output."""

import io
import os
import warnings
from pathlib import Path, PurePath

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.errors import ImageError, KernelError
from zssr_daemon.protocol.attempt_files import companion_part
from zssr_daemon.protocol.endings import KERNEL_PICTURE, KERNEL_SIDECARS, KERNEL_WEIGHTS
from zssr_daemon.protocol.kernel_file import KERNEL_FILE_BYTES, KernelFile
from zssr_daemon.system.safe_open import read_small
from zssr_daemon.worker.mat_file import read_matrices
from zssr_daemon.zssr.config import KernelPhase
from zssr_daemon.zssr.degradation.blur import MAX_SIDE, Kernel

#: What kernels are called in MATLAB files, in lower case; the first that is there is taken.
_NAMES = ("kernel", "psf", "k", "h", "blur", "filter")

#: Side of the square that shows a weight in a picture, pixels.
_ZOOM = 8


def find_beside(root: str, src_rel: str) -> KernelFile | None:
    """Return the kernel file beside an image below `root`, None where there is none.

    Raises:
        KernelError: it is a link or no plain file.
        OSError: the disk is at fault.
    """
    stem = os.path.splitext(src_rel)[0]  # noqa: PTH122 (any bytes are legal)
    for rel in [each + suffix for each in (src_rel, stem) for suffix in KERNEL_SIDECARS]:
        try:
            content = read_small(root, rel, KERNEL_FILE_BYTES)
        except ImageError as error:
            raise KernelError(str(error)) from error
        if content is not None:
            return KernelFile(name=os.path.basename(rel), content=content)  # noqa: PTH119
    return None


def load_kernel(file: KernelFile, phase: KernelPhase) -> Kernel:
    """Return the kernel of a file.

    Raises:
        KernelError: there is none in it; the message says why.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a reader that is in doubt has found no kernel
            return Kernel.of(_array(file), phase)
    except Exception as error:  # numpy and Pillow raise anything for damaged files
        raise KernelError(f"{file.name}: {error}") from error


def write_kernel(part: Path, kernel: Kernel) -> None:
    """Write the weights beside an output's part, and a picture of them.

    The weights are float64 and add up to 1; `[degradation] kernel` reads the file.

    Raises:
        OSError: the disk is at fault.
    """
    with companion_part(part, KERNEL_WEIGHTS).open("wb") as stream:
        np.save(stream, kernel.weights, allow_pickle=False)
    kernel_picture(kernel).save(companion_part(part, KERNEL_PICTURE), "PNG")


def kernel_picture(kernel: Kernel) -> Image.Image:
    """Draw the weights as grey squares; the largest is white, zero and less is black."""
    levels = (kernel.weights / kernel.weights.max()).clip(0, 1) * 255
    return Image.fromarray(np.kron(levels.round(), np.ones((_ZOOM, _ZOOM))).astype(np.uint8))


def _array(file: KernelFile) -> NDArray[np.generic]:
    if len(file.content) > KERNEL_FILE_BYTES:
        raise ValueError(f"more than {KERNEL_FILE_BYTES} bytes: no kernel is so large")
    suffix = PurePath(file.name).suffix.lower()
    if suffix == ".npy":
        return _npy(file.content)
    if suffix == ".mat":
        return _mat(file.content)
    return _picture(file.content)


def _npy(content: bytes) -> NDArray[np.generic]:
    """Read the header first: the bytes it promises must be there before memory is taken."""
    stream = io.BytesIO(content)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(stream)
    if version not in readers:
        raise ValueError(f"a .npy file of version {version}")
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject or np.prod(shape, dtype=float) * dtype.itemsize > len(content):
        raise ValueError("the file is cut off, or holds objects instead of numbers")
    return np.asarray(np.load(io.BytesIO(content), allow_pickle=False))


def _mat(content: bytes) -> NDArray[np.generic]:
    """Return the matrix that is called as kernels are, else the only one that is no vector."""
    matrices = read_matrices(content)
    by_name = {name.lower(): matrix for name, matrix in matrices.items()}
    for name in _NAMES:
        if name in by_name:
            return by_name[name]
    wide = [matrix for matrix in matrices.values() if min(matrix.shape) > 1]
    if len(wide) != 1:
        held = ", ".join(matrices) or "none"
        raise ValueError(f"no matrix called {' or '.join(_NAMES)}, nor only one; there are: {held}")
    return wide[0]


def _picture(content: bytes) -> NDArray[np.generic]:
    """Return the levels of a grey picture; of a coloured one the mean of its channels."""
    with Image.open(io.BytesIO(content), formats=("PNG", "TIFF")) as image:
        if max(image.size) > MAX_SIDE:
            raise ValueError(f"{image.width} × {image.height} pixels, at most {MAX_SIDE} a side")
        is_plain = image.mode in {"1", "L", "I", "F", "I;16", "I;16B", "I;16L"}
        levels = np.asarray(image if is_plain else image.convert("RGB"))
    return levels if is_plain else levels.mean(axis=2)
