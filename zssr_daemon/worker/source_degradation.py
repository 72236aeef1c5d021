"""SourceDegradation: the blur, noise and compression that a source suffered, and how we know."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from zssr_daemon.errors import KernelError
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.system.file_names import printable
from zssr_daemon.worker.found import sentence
from zssr_daemon.worker.kernel_files import find_beside, load_kernel
from zssr_daemon.zssr.degradation.blur import BICUBIC, Blur, Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables
from zssr_daemon.zssr.estimation.blur_estimate import BlurEstimate, estimate_blur
from zssr_daemon.zssr.estimation.free_kernel.free_kernel import (
    CLEARLY,
    FreeKernel,
    estimate_free_kernel,
)
from zssr_daemon.zssr.estimation.jpeg_estimate import MAX_QUALITY, estimate_tables
from zssr_daemon.zssr.estimation.noise_estimate import MeasuredNoise, estimate_noise

# A picture was compressed before if its quality is so much below that of its file; the qualities
# that are most like tables of other programs differ by less, when some steps cannot be seen.
COARSER = 8

# Presets for which the two seconds of a kernel of free shape are too many.
_QUICK_PRESETS = ("instant", "fast")


@dataclass(frozen=True, slots=True)
class SourceDegradation:
    """The degradation of a source, as it was given, ordered or estimated."""

    kernel: str  # the file's name, "bicubic" or "estimated"
    degradation: Degradation
    estimate: BlurEstimate | FreeKernel | None = None  # of the blur, where one was asked for
    found: str = ""  # a sentence: what was found in the image, and what was done about it

    @classmethod
    def of(
        cls,
        order: WorkOrder,
        picture: Tensor,
        *,
        tables: JpegTables | None = None,
        void: Tensor | None = None,
        levels: int | None = 255,
    ) -> "SourceDegradation":
        """Take the kernel beside the image, else what is ordered; estimate what is to be estimated.

        picture: (C, H, W) float32, CPU, [0, 1]. tables: of the JPEG that it was read from. void:
        where it is no content, bool, of the same shape. levels: as in Degradation.

        Raises:
            KernelError: the kernel cannot be used.
            OSError: the disk is at fault.
        """
        estimates = _Estimates(picture, void, tables)
        name, blur, estimate, passed_over = _blur(order, estimates)
        quality = _ordered_quality(order, estimates)
        noise = _ordered_noise(order) or estimates.noise
        degradation = Degradation(
            blur=blur,
            noise_std=noise.std,
            noise_shape=noise.shape,
            keeps_grain=order.keeps_grain,
            jpeg_quality=quality,
            jpeg_tables=estimates.tables if order.jpeg_quality == "auto" else None,
            levels=levels,
        )
        found = sentence(degradation, name, order, estimate=estimate, passed_over=passed_over)
        return cls(name, degradation, estimate, found)

    def of_layer(
        self, order: WorkOrder, picture: Tensor, *, void: Tensor | None, levels: int | None
    ) -> Degradation:
        """Return what a further sample of the same source suffered: arguments as in `of`.

        It came through the same optics, but has noise of its own; no JPEG holds such samples.
        """
        noise = _ordered_noise(order) or noise_of(picture, void)
        return Degradation(
            blur=self.degradation.blur,
            noise_std=noise.std,
            noise_shape=noise.shape,
            keeps_grain=order.keeps_grain,
            levels=levels,
        )

    @property
    def estimated(self) -> Kernel | None:
        """The kernel, if it was estimated and not given."""
        blur = self.degradation.blur
        return blur if self.estimate is not None and isinstance(blur, Kernel) else None

    @property
    def why(self) -> str | None:
        """What the estimate of the blur found; None where none was asked for."""
        if self.estimate is None:
            return None
        found = self.estimate
        if isinstance(found, FreeKernel):
            return f"{found.why}: {found}; evidence {found.evidence:.2f}, {CLEARLY} is enough"
        gain = f", likely gain {found.gain_db:.1f} dB" if found.why == "blurred" else ""
        return f"{found.why}: {found}; evidence {found.evidence:.2f}{gain}"

    @property
    def parameters(self) -> dict[str, str | float]:
        """What an output must tell so that it can be made again; empty for a clean source."""
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
            if self.degradation.keeps_grain:
                told["grain"] = "keep"
        if self.degradation.jpeg_quality is not None:
            told["jpeg_quality"] = self.degradation.jpeg_quality
        tables = self.degradation.jpeg_tables
        if tables is not None and tables != JpegTables.of_quality(tables.quality):
            told["jpeg_tables"] = "of its own"  # the quality is only the one most like them
        return told


def noise_of(picture: Tensor, void: Tensor | None) -> MeasuredNoise:
    """Estimate the noise of the content alone; arguments as in `SourceDegradation.of`.

    What fills the void is smooth. Made black, it counts as clipped and is not measured.
    """
    return estimate_noise(picture if void is None else picture.masked_fill(void, 0))


class _Estimates:
    """Estimates from a picture (C, H, W), each made once, and only if somebody asks for it.

    tables: of the file that the picture was read from; it can have been compressed before.
    """

    def __init__(self, picture: Tensor, void: Tensor | None, tables: JpegTables | None) -> None:
        self.picture = picture
        self._void = void
        self._of_file = tables

    @cached_property
    def noise(self) -> MeasuredNoise:
        return noise_of(self.picture, self._void)

    @cached_property
    def tables(self) -> JpegTables | None:
        """Those of the file, unless the pixels show that they were compressed coarser before."""
        found = estimate_tables(self.picture)
        file = self._of_file
        if file is None or file.quality > MAX_QUALITY:
            return found
        return file if found is None or found.quality > file.quality - COARSER else found

    @property
    def jpeg_quality(self) -> int | None:
        return None if self.tables is None else self.tables.quality


def _blur(
    order: WorkOrder, estimates: _Estimates
) -> tuple[str, Blur, BlurEstimate | FreeKernel | None, str | None]:
    """Return the name of the blur, the blur, its estimate, and why there is no estimate.

    The last is None but for an estimate that was left to the order.
    """
    kernel_of = find_beside(order.inbox, order.src_rel) or order.kernel
    if kernel_of is None:
        return "bicubic", BICUBIC, None, None
    if isinstance(kernel_of, KernelFile):
        _check_scale(order, kernel_of.name)
        return printable(kernel_of.name), load_kernel(kernel_of, order.kernel_phase), None, None
    passed_over = _why_passed_over(order) if kernel_of == "auto" else None
    if passed_over is not None:
        return "bicubic", BICUBIC, None, passed_over
    _check_scale(order, "an estimated kernel")
    estimate = _estimated(order, estimates)
    kernel = estimate.kernel(order.config.total_scale, order.kernel_phase)
    if kernel is None:
        return "bicubic", BICUBIC, estimate, None
    return "estimated", kernel, estimate, None


def _estimated(order: WorkOrder, estimates: _Estimates) -> BlurEstimate | FreeKernel:
    """Estimate the blur.

    That needs noise and quality of the picture, even if they are not to be undone.
    """
    picture, noise_std = estimates.picture, estimates.noise.std
    fixed = estimate_blur(picture, noise_std=noise_std, jpeg_quality=estimates.jpeg_quality)
    if order.config.preset in _QUICK_PRESETS:
        return fixed
    return estimate_free_kernel(picture, fixed, noise_std=noise_std) or fixed


def _why_passed_over(order: WorkOrder) -> str | None:
    """Return why a blur is not looked for that nobody asked for in so many words; None: it is.

    The estimate takes half a second, as long as all else with the preset instant.
    """
    if order.config.preset == "instant":
        return "with the preset instant"
    try:
        order.config.in_one_pass()
    except ValueError:
        return f"at a total scale of {order.config.scale_label}"
    return None


def _check_scale(order: WorkOrder, what: str) -> None:
    try:
        order.config.in_one_pass()
    except ValueError as error:
        raise KernelError(f"{what}: {error}") from error


def _ordered_noise(order: WorkOrder) -> MeasuredNoise | None:
    """Return the noise that is to be undone, white where a number was given; None: measure it."""
    return None if order.noise_std == "auto" else MeasuredNoise(order.noise_std)


def _ordered_quality(order: WorkOrder, estimates: _Estimates) -> int | None:
    """Return the quality of the JPEG compression that is to be undone, None for none."""
    if order.jpeg_quality == "auto":
        return estimates.jpeg_quality
    return None if order.jpeg_quality == "none" else order.jpeg_quality
