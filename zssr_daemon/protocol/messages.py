"""Messages: the plain data that travels between the supervisor and its child processes."""

from dataclasses import dataclass
from typing import Literal

from zssr_daemon.errors import Reason
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.zssr.config import KernelPhase, ZSSRConfig

Stage = Literal["decode", "fit", "infer", "encode"]

CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """Everything a worker needs to know of one attempt; folders' politics are not its business."""

    job_id: str
    inbox: str
    src_rel: str
    identity: FileIdentity
    part: str  # absolute path to write the output to
    config: ZSSRConfig
    limits: ImageLimits
    output: OutputRules
    weights_folder: str | None  # of a WeightsStore to start from and add to; None fits from chance
    attempt: int = 1
    report_path: str | None = None  # absolute path to write a report to; None writes none
    # Of images without one beside them; "estimate": from the image; None: bicubic.
    kernel: KernelFile | Literal["estimate"] | None = None
    kernel_phase: KernelPhase = "centred"  # of any
    noise_std: float | Literal["auto"] = 0.0  # of the image, levels of 255; "auto" measures it
    jpeg_quality: int | Literal["none", "auto"] = "none"  # it was once compressed at
    frame: int = 0  # of a file of several


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReady:
    """The worker's device has passed its self-test."""

    device: str
    torch_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBroken:
    """The worker's device cannot be used; the process ends."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkProgress:
    """A sign of life from within the work itself."""

    job_id: str
    stage: Stage
    step: int
    steps: int
    fraction: float  # of the whole job, 0..1
    loss: float | None
    lr: float | None
    patience_s: float = 0.0  # how much longer than usual the next sign of life may take

    def eta_s(self, elapsed_s: float) -> float | None:
        """Estimate the seconds left after `elapsed_s`; None while it is too early to tell."""
        if self.fraction <= 0.02:
            return None
        return elapsed_s * (1 - self.fraction) / self.fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkReport:
    """What an enlargement took and gave."""

    out_width: int
    out_height: int
    seconds: dict[str, float]  # by stage
    iterations: int
    restarts: int
    is_fallback: bool
    warm_start_sha256: str | None  # of the weights the fit began with; None began with chance
    psnr_network_db: float | None
    psnr_bicubic_db: float | None
    patch_size: int  # as ordered, or halved until memory sufficed
    batch_size: int  # the same
    peak_memory_bytes: int  # of the whole process, since it began
    gpu_memory_peak_bytes: int = 0  # of the device, since the process began; 0 on a CPU
    kernel: str = "bicubic"  # or "estimated", or the name of the kernel's file
    kernel_sha256: str | None = None  # of weights and phase, whatever the file's format
    kernel_why: str | None = None  # what an estimate found; None where nothing was estimated
    noise_std: float = 0.0  # taken out, levels of 255: as ordered, or as measured
    jpeg_quality: int | None = None  # undone: as ordered, or as found
    note: str | None = None  # what the output could not keep


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDone:
    """The part is written and verified; it is not yet durable."""

    job_id: str
    out_sha256: str
    report: WorkReport
    suffix: str = ".png"  # of the format the part is in
    frames: int = 1  # parts written, one each; the hash is of the last


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFailed:
    """The attempt is over without an output; with an errno where the system failed it."""

    job_id: str
    reason: Reason
    message: str
    is_retryable: bool
    oserror_errno: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCancelled:
    """The attempt ended because it was asked to."""

    job_id: str


WorkEnd = WorkDone | WorkFailed | WorkCancelled
WorkMessage = WorkerReady | WorkerBroken | WorkProgress | WorkEnd
