"""KernelFile: the bytes of a file with a blur kernel, and the names that such files have."""

from dataclasses import dataclass

#: The largest file that is read as a kernel; the largest kernel needs a tenth of this.
KERNEL_FILE_BYTES = 1_000_000

#: Endings of files that a kernel can be read from.
KERNEL_SUFFIXES = (".npy", ".mat", ".png", ".tif", ".tiff")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFile:
    """A file that should hold a blur kernel; the ending of `name` tells the format."""

    name: str
    content: bytes
