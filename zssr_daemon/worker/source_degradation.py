"""Origin: how one source came to be, and what says so."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from zssr_daemon.errors import KernelError
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.file_names import printable
from zssr_daemon.worker.kernel_files import find_beside, load_kernel
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.estimation.blur_estimate import SURE, BlurEstimate, estimate_blur
from zssr_daemon.zssr.estimation.jpeg_estimate import estimate_quality
from zssr_daemon.zssr.estimation.noise_estimate import estimate_noise_std


@dataclass(frozen=True, slots=True)
class Origin:
    """The degradation of a source."""

    kernel: str  # the file's name, "bicubic" or "estimated"
    degradation: Degradation
    estimate: BlurEstimate | None = None  # where one was asked for

    @classmethod
    def of(cls, order: WorkOrder, picture: Tensor) -> "Origin":
        """Take what is beside the image, else what is ordered, or what `picture` shows.

        picture: (C, H, W) float32, CPU, [0, 1].

        Raises:
            KernelError: the kernel cannot be used.
            OSError: the disk is at fault.
        """
        seen = _Seen(picture)
        name, blur, estimate = _blur(order, seen)
        degradation = Degradation(
            blur=blur,
            noise_std=seen.noise_std if order.noise_std == "auto" else order.noise_std,
            jpeg_quality=_ordered_quality(order, seen),
        )
        return cls(name, degradation, estimate)

    @property
    def estimated(self) -> Kernel | None:
        """The kernel, where it was estimated and not given."""
        blur = self.degradation.blur
        return blur if self.estimate is not None and isinstance(blur, Kernel) else None

    @property
    def why(self) -> str | None:
        """What was found of a blur in the image; None where nobody asked."""
        if self.estimate is None:
            return None
        found = self.estimate
        return f"{found.why}: {found}; evidence {found.evidence:.2f}, {SURE} is enough"

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


class _Seen:
    """What a picture (C, H, W) shows, looked for once and only where somebody asks."""

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture

    @cached_property
    def noise_std(self) -> float:
        return estimate_noise_std(self.picture)

    @cached_property
    def jpeg_quality(self) -> int | None:
        return estimate_quality(self.picture)


def _blur(order: WorkOrder, seen: _Seen) -> tuple[str, Blur, BlurEstimate | None]:
    """Return what the blur is called, the blur, and the estimate it is of."""
    kernel_of = find_beside(order.inbox, order.src_rel) or order.kernel
    if kernel_of is None:
        return "bicubic", BICUBIC, None
    if isinstance(kernel_of, KernelFile):
        _check_scale(order, kernel_of.name)
        return printable(kernel_of.name), load_kernel(kernel_of, order.kernel_phase), None
    _check_scale(order, "an estimated kernel")
    # Known even where they are to be left: what the picture shows is not what was ordered.
    estimate = estimate_blur(seen.picture, noise_std=seen.noise_std, jpeg_quality=seen.jpeg_quality)
    kernel = estimate.kernel(order.config.total_scale, order.kernel_phase)
    return ("bicubic", BICUBIC, estimate) if kernel is None else ("estimated", kernel, estimate)


def _check_scale(order: WorkOrder, what: str) -> None:
    try:
        order.config.in_one_pass()
    except ValueError as error:
        raise KernelError(f"{what}: {error}") from error


def _ordered_quality(order: WorkOrder, seen: _Seen) -> int | None:
    """Return the quality that is to be undone."""
    if order.jpeg_quality == "auto":
        return seen.jpeg_quality
    return None if order.jpeg_quality == "none" else order.jpeg_quality
