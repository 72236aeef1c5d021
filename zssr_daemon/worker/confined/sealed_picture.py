"""SealedPicture: how a decoded picture comes out of the confined child: in sealed memory.

The receiver checks it like a file of a stranger: a broken decoder may have written it. It holds no
code, but a header of plain data and the bytes of the samples.
"""

import fcntl
import mmap
import os
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.formats import ImageInfo, ImageLimits
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.samples.decoded import Loaded

# The memory can neither be written any more nor change its size, nor be unsealed.
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL

# Four channels of 16 bits.
_MAX_PIXEL_BYTES: Final = 8

# Of the header: metadata can hold little more than the file, and grows by a third in JSON.
_HEADER_BYTES: Final = 16 << 20
_LENGTH_BYTES: Final = 8


class _Header(BaseModel):
    """What lies in front of the samples, as JSON."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    shape: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)], Literal[1, 2, 3, 4]]
    kind: Literal["uint8", "uint16"]
    orientation: Annotated[int, Field(ge=1, le=8)]
    info: ImageInfo
    metadata: ImageMetadata


def max_sealed_bytes(limits: ImageLimits) -> int:
    """Return how large the memory of an honest picture can be."""
    return _MAX_PIXEL_BYTES * limits.max_input_pixels + 2 * limits.max_file_bytes + _HEADER_BYTES


def seal(loaded: Loaded) -> int:
    """Write a picture into sealed memory, and return the descriptor, which the caller closes."""
    samples = np.ascontiguousarray(loaded.samples)
    header = _Header.model_validate(
        {
            "shape": samples.shape,
            "kind": samples.dtype.name,
            "orientation": loaded.orientation,
            "info": loaded.info,
            "metadata": loaded.metadata,
        }
    )
    text = header.model_dump_json().encode()
    fd = os.memfd_create("zssr-picture", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(fd, "wb", buffering=0, closefd=False) as file:
        for block in (len(text).to_bytes(_LENGTH_BYTES, "big"), text, samples.data.cast("B")):
            rest = memoryview(block)
            while rest:
                rest = rest[file.write(rest) :]
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


def unseal(fd: int, limits: ImageLimits) -> Loaded:
    """Return the picture in sealed memory; its samples are a read-only view of that memory.

    Raises ImageError (`corrupt`) where the memory is not sealed, too large, or holds no picture.
    """
    if not _is_sealed(fd):
        raise _broken("its memory is not sealed")
    size = os.fstat(fd).st_size
    if not _LENGTH_BYTES < size <= max_sealed_bytes(limits):
        raise _broken(f"{size} bytes")
    # Private: some kernels refuse to share sealed memory, even for reading.
    memory = mmap.mmap(fd, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    start = _LENGTH_BYTES + int.from_bytes(memory[:_LENGTH_BYTES], "big")
    try:
        header = _Header.model_validate_json(memory[_LENGTH_BYTES : min(start, size)])
    except ValidationError as error:
        raise _broken(str(error)) from error
    return Loaded(
        samples=_samples(memory, start, header, limits),
        orientation=header.orientation,
        info=header.info,
        metadata=header.metadata,
    )


def _is_sealed(fd: int) -> bool:
    try:
        return fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS == _SEALS
    except OSError:  # no memory at all
        return False


def _samples(
    memory: mmap.mmap, start: int, header: _Header, limits: ImageLimits
) -> NDArray[np.unsignedinteger]:
    """Return a view of the samples, whose number has to be that of the header."""
    height, width, channels = header.shape
    kind = np.dtype(header.kind)
    fits = start + height * width * channels * kind.itemsize == len(memory)
    if not fits or height * width > limits.max_input_pixels or not _is_told(header):
        raise _broken("header and samples do not fit")
    samples: NDArray[np.unsignedinteger] = np.frombuffer(memory, kind, offset=start)
    return samples.reshape(header.shape)


def _is_told(header: _Header) -> bool:
    """Tell whether the description says of the samples what they are."""
    info = header.info
    sides = header.shape[:2] if header.orientation < 5 else header.shape[1::-1]
    depth = 8 * np.dtype(header.kind).itemsize
    told = (info.height, info.width, info.channels + info.has_alpha, info.bit_depth)
    return told == (*sides, header.shape[2], depth)


def _broken(what: str) -> ImageError:
    return ImageError(f"the decoder gave no picture: {what}", reason=Reason.CORRUPT)
