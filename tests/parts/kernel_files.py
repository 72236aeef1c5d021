"""Kernel files as other programs write them: MATLAB's format by hand, as nothing here writes it."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.protocol.kernel_file import KernelFile

_TYPES = {"int8": (8, 1), "uint8": (9, 2), "int32": (12, 5), "float32": (7, 7), "float64": (6, 9)}


def mat(
    variables: dict[str, NDArray[Any]], *, order: str = "<", is_compressed: bool = False
) -> bytes:
    """Return a MATLAB file of level 5, as `save -v6`, or `save -v7` where compressed, writes it."""
    mark = b"IM" if order == "<" else b"MI"
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack(order + "H", 0x0100) + mark
    elements = (_matrix(name, value, order) for name, value in variables.items())
    if not is_compressed:
        return head + b"".join(elements)
    packed = (zlib.compress(element) for element in elements)
    return head + b"".join(struct.pack(order + "2I", 15, len(each)) + each for each in packed)


def _matrix(name: str, value: NDArray[Any], order: str) -> bytes:
    number_class, number_type = _TYPES[value.real.dtype.name]
    flags = number_class | (0x0800 if np.iscomplexobj(value) else 0)
    parts = [
        _element(6, struct.pack(order + "2I", flags, 0), order),
        _element(5, struct.pack(f"{order}{value.ndim}i", *value.shape), order),
        _element(1, name.encode(), order),
        _element(
            number_type,
            value.real.astype(order + value.real.dtype.str[1:]).tobytes(order="F"),
            order,
        ),
    ]
    return _element(14, b"".join(parts), order)


def _element(kind: int, data: bytes, order: str) -> bytes:
    if 0 < len(data) <= 4:  # MATLAB keeps the short ones within the tag
        return struct.pack(order + "2H", *((kind, len(data))[:: 1 if order == "<" else -1])) + (
            data.ljust(4, b"\0")
        )
    return struct.pack(order + "2I", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def npy(array: NDArray[Any], **options: Any) -> bytes:
    """Return a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def kernel_file(name: str, content: bytes) -> KernelFile:
    """Return the file as a worker gets it."""
    return KernelFile(name=name, content=content)
