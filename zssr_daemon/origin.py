"""Origin: how one source came to be, and what says so."""

from dataclasses import dataclass

from torch import Tensor

from zssr_daemon.errors import KernelError
from zssr_daemon.kernel_file import find_beside, load_kernel
from zssr_daemon.messages import WorkOrder
from zssr_daemon.names import printable
from zssr_daemon.zssr.blur_estimate import SURE, BlurEstimate, estimate_blur
from zssr_daemon.zssr.degradation import BICUBIC, Degradation, Kernel


@dataclass(frozen=True, slots=True)
class Origin:
    """The degradation of a source."""

    kernel: str  # the file's name, "bicubic" or "estimated"
    degradation: Degradation
    estimate: BlurEstimate | None = None  # where one was asked for

    @classmethod
    def of(cls, order: WorkOrder, picture: Tensor) -> "Origin":
        """Take the kernel beside the image, else that of the order, or what the image shows.

        picture: (C, H, W) float32, CPU, [0, 1].

        Raises:
            KernelError: it cannot be used.
            OSError: the disk is at fault.
        """
        file = find_beside(order.inbox, order.src_rel) or order.kernel
        if file is not None:
            _check_scale(order, file.name)
            return cls(printable(file.name), load_kernel(file, order.kernel_phase))
        if not order.estimates_kernel:
            return cls("bicubic", BICUBIC)
        _check_scale(order, "an estimated kernel")
        estimate = estimate_blur(picture)
        kernel = estimate.kernel(order.config.total_scale, order.kernel_phase)
        return cls("estimated" if kernel else "bicubic", kernel or BICUBIC, estimate)

    @property
    def estimated(self) -> Kernel | None:
        """The kernel, where it was estimated and not given."""
        if self.estimate is None or not isinstance(self.degradation, Kernel):
            return None
        return self.degradation

    @property
    def why(self) -> str | None:
        """What was found in the image; None where nobody asked."""
        if self.estimate is None:
            return None
        found = self.estimate
        return f"{found.why}: {found}; evidence {found.evidence:.2f}, {SURE} is enough"

    @property
    def parameters(self) -> dict[str, str]:
        """What an output must tell to be made again; nothing where there was no kernel."""
        if not isinstance(self.degradation, Kernel):
            return {}
        return {
            "kernel": self.kernel,
            "kernel_phase": self.degradation.phase,
            "kernel_sha256": self.degradation.sha256,
        }


def _check_scale(order: WorkOrder, what: str) -> None:
    try:
        order.config.in_one_pass()
    except ValueError as error:
        raise KernelError(f"{what}: {error}") from error
