"""Origin: how one source came to be, and which file says so."""

from dataclasses import dataclass

from torch import Tensor

from zssr_daemon.errors import KernelError
from zssr_daemon.kernel_file import find_beside, load_kernel
from zssr_daemon.messages import WorkOrder
from zssr_daemon.names import printable
from zssr_daemon.zssr.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation import Degradation
from zssr_daemon.zssr.jpeg import estimate_quality
from zssr_daemon.zssr.noise import estimate_noise_std


@dataclass(frozen=True, slots=True)
class Origin:
    """The degradation of a source."""

    kernel: str  # the file's name, or "bicubic"
    degradation: Degradation

    @classmethod
    def of(cls, order: WorkOrder, picture: Tensor) -> "Origin":
        """Take the kernel beside the image, else that of the order, else bicubic.

        Noise and compression are as ordered, or measured on `picture`, (C, H, W) float32 in [0, 1].

        Raises:
            KernelError: it cannot be used.
            OSError: the disk is at fault.
        """
        kernel, blur = _blur(order)
        noise_std, quality = order.noise_std, order.jpeg_quality
        degradation = Degradation(
            blur=blur,
            noise_std=estimate_noise_std(picture) if noise_std == "auto" else noise_std,
            jpeg_quality=_jpeg_quality(quality, picture),
        )
        return cls(kernel, degradation)

    @property
    def parameters(self) -> dict[str, str | float]:
        """What an output must tell to be made again; nothing where the source was clean."""
        told: dict[str, str | float] = {}
        blur = self.degradation.blur
        if isinstance(blur, Kernel):
            told |= {
                "kernel": self.kernel,
                "kernel_phase": blur.phase,
                "kernel_sha256": blur.sha256,
            }
        if self.degradation.noise_std > 0:
            told["noise_std"] = self.degradation.noise_std
        if self.degradation.jpeg_quality is not None:
            told["jpeg_quality"] = self.degradation.jpeg_quality
        return told


def _blur(order: WorkOrder) -> tuple[str, Blur]:
    """Return the blur of an order, and what it is called."""
    file = find_beside(order.inbox, order.src_rel) or order.kernel
    if file is None:
        return "bicubic", BICUBIC
    try:
        order.config.in_one_pass()
    except ValueError as error:
        raise KernelError(f"{file.name}: {error}") from error
    return printable(file.name), load_kernel(file, order.kernel_phase)


def _jpeg_quality(ordered: int | str, picture: Tensor) -> int | None:
    """Return the quality that is to be undone."""
    if isinstance(ordered, int):
        return ordered
    return estimate_quality(picture) if ordered == "auto" else None
