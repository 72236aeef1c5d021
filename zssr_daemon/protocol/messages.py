"""Messages: the plain data that supervisor and child processes send to each other."""

from dataclasses import dataclass
from typing import Final, Literal, Self

from zssr_daemon.errors import JobError, Reason
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.protocol.kernel_file import KernelFile
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.zssr.config import KernelPhase, ZSSRConfig

Stage = Literal["decode", "fit", "infer", "encode"]

CANCEL: Final = "cancel"

#: So many digits of a hash are enough for people to tell starts apart.
SHORT_SHA256 = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """Everything a worker needs to know about one attempt, and no more."""

    job_id: str
    inbox: str
    src_rel: str
    identity: FileIdentity
    part: str  # absolute path to write the output to
    config: ZSSRConfig
    limits: ImageLimits
    output: OutputRules
    weights_folder: str | None  # of a WeightsStore to start from and add to; None: there is none
    attempt: int = 1
    report_path: str | None = None  # absolute path to write a report to; None writes none
    # For an image without a kernel file beside it; "estimate" finds one, "auto" does so where the
    # order can be done with one, None is bicubic.
    kernel: KernelFile | Literal["estimate", "auto"] | None = None
    kernel_phase: KernelPhase = "centred"  # of that kernel, or of one beside the image
    noise_std: float | Literal["auto"] = 0.0  # of the source, levels of 255; "auto" measures it
    keeps_grain: bool = False  # whether that noise is part of the picture, and not removed
    jpeg_quality: int | Literal["none", "auto"] = "none"  # with which the source was compressed
    frame: int = 0  # which of the file's frames, counted from 0
    mtime_ns: int | None = None  # modification time of the outputs, since the epoch; None is now


@dataclass(frozen=True, slots=True)
class WorkerLoaded:
    """The process has loaded its modules; a fault from here on is one of device or image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReady:
    """The worker's device has passed its self-test."""

    device: str
    torch_version: str
    node: str = ""  # the executor's name for the machine; "" is this one


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBroken:
    """The worker's device cannot be used; the process ends."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkProgress:
    """A sign of life from the work itself, with how far it is."""

    job_id: str
    stage: Stage
    step: int
    steps: int
    fraction: float  # of the whole job, 0..1
    loss: float | None
    lr: float | None
    patience_s: float = 0.0  # how much longer than usual the next message may take

    def eta_s(self, elapsed_s: float) -> float | None:
        """Estimate the seconds left after `elapsed_s`; None while it is too early to say."""
        if self.fraction <= 0.02:
            return None
        return elapsed_s * (1 - self.fraction) / self.fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkReport:
    """What an attempt cost, and what came out."""

    out_width: int
    out_height: int
    seconds: dict[str, float]  # by stage
    iterations: int
    restarts: int
    is_fallback: bool
    start: str | None  # what the fit began with: a drawn start, "folder", or None for chance
    start_sha256: str | None  # of the file of that start, or of the folder's weights
    psnr_network_db: float | None
    psnr_bicubic_db: float | None
    patch_size: int  # in pixels: as ordered, or halved until memory sufficed
    batch_size: int  # as ordered, or halved likewise
    peak_memory_bytes: int  # of the whole process, since it began
    gpu_memory_peak_bytes: int = 0  # of the device, since the process began; 0 on a CPU
    kernel: str = "bicubic"  # or "estimated", or the name of the kernel's file
    kernel_sha256: str | None = None  # of weights and phase, whatever the file's format
    kernel_why: str | None = None  # what an estimate found; None without an estimate
    found: str = ""  # a sentence: what was found in the image, and what was done about it
    noise_std: float = (
        0.0  # levels of 255, as ordered or as measured; removed, unless grain is kept
    )
    jpeg_quality: int | None = None  # whose compression was undone: as ordered, or as found
    tileable: str = "no"  # the axes that were taken to repeat: as ordered, or as found
    note: str | None = None  # what the output could not keep


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDone:
    """The part is written and verified, but not yet durable."""

    job_id: str
    out_sha256: str
    report: WorkReport
    suffix: str = ".png"  # of the format the part is in
    frames: int = 1  # each has a part; `out_sha256` is of the last one


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFailed:
    """The attempt ended without an output; with an errno if a call of the system failed."""

    job_id: str
    reason: Reason
    message: str
    is_retryable: bool
    oserror_errno: int | None = None
    ends_worker: bool = False  # whether the process is of no more use, and ends

    @classmethod
    def of(cls, job_id: str, error: JobError | OSError) -> Self:
        """Tell an error of the image, or of the system."""
        if isinstance(error, OSError):
            return cls(
                job_id=job_id,
                reason=Reason.IO_ERROR,
                message=str(error),
                is_retryable=True,
                oserror_errno=error.errno,
            )
        return cls(
            job_id=job_id,
            reason=error.reason,
            message=str(error),
            is_retryable=error.is_retryable,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCancelled:
    """The attempt ended because it was asked to."""

    job_id: str


WorkMessage = WorkerReady | WorkerBroken | WorkProgress | WorkDone | WorkFailed | WorkCancelled
