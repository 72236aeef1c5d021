"""Origin: how one source came to be, and which file says so."""

from dataclasses import dataclass

from zssr_daemon.errors import KernelError
from zssr_daemon.kernel_file import find_beside, load_kernel
from zssr_daemon.messages import WorkOrder
from zssr_daemon.names import printable
from zssr_daemon.zssr.degradation import BICUBIC, Degradation, Kernel


@dataclass(frozen=True, slots=True)
class Origin:
    """The degradation of a source."""

    kernel: str  # the file's name, or "bicubic"
    degradation: Degradation

    @classmethod
    def of(cls, order: WorkOrder) -> "Origin":
        """Take the kernel beside the image, else that of the order, else bicubic.

        Raises:
            KernelError: it cannot be used.
            OSError: the disk is at fault.
        """
        file = find_beside(order.inbox, order.src_rel) or order.kernel
        if file is None:
            return cls("bicubic", BICUBIC)
        try:
            order.config.in_one_pass()
        except ValueError as error:
            raise KernelError(f"{file.name}: {error}") from error
        return cls(printable(file.name), load_kernel(file, order.kernel_phase))

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
