"""KernelFile: a blur kernel on its way to a worker, as the bytes of its file."""

from dataclasses import dataclass

#: The largest file that is read as a kernel; the largest kernel is a tenth of it.
KERNEL_FILE_BYTES = 1_000_000

#: What a kernel beside an image is called: after the whole name first, for a.png and a.jpg.
SIDECAR_SUFFIXES = (".kernel.npy", ".kernel.mat")

#: Endings of the files that a kernel is read from.
KERNEL_SUFFIXES = (".npy", ".mat", ".png", ".tif", ".tiff")


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFile:
    """A file that should hold a blur kernel; the ending of its name tells the format."""

    name: str
    content: bytes
