"""Status: what a daemon is doing at one moment, as plain data for people, scripts and systemd."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

DaemonPhase = Literal["starting", "running", "paused", "draining", "stopped", "silent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseStatus:
    """Why the queue waits, and since when (seconds since the epoch)."""

    reason: str  # a `Reason`
    message: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """The status of one place for a worker process."""

    device: str
    is_ready: bool  # its self-test has passed
    is_well: bool  # idle, or heard from in time
    silent_for_s: float  # since the last sign of life, beyond the patience it asked for
    node: str = ""  # the machine; "" is the daemon's own


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """A job in work; `fraction` is of the whole job, 0..1."""

    job_id: str
    image: str
    attempt: int
    started_at: float
    stage: str | None = None
    step: int = 0
    steps: int = 0
    fraction: float = 0.0
    loss: float | None = None
    eta_s: float | None = None
    device: str = ""  # that it runs on; "" before a worker has it
    node: str = ""  # the machine; "" is the daemon's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A daemon as a whole; times are seconds since the epoch, None before the first time."""

    version: str
    phase: DaemonPhase
    pid: int | None
    started_at: float | None
    faults: tuple[str, ...]  # the parts that do not answer; none when all is well
    pause: PauseStatus | None
    workers: tuple[WorkerStatus, ...]
    jobs: tuple[JobStatus, ...]
    settling: int
    passed_over: int  # files of the inbox that are no images
    queued: int
    failed: int
    oldest_queued_at: float | None
    last_scan_at: float | None
    watch: Literal["events", "scan"] | None
    links: int = 0  # symbolic links of the inbox, which are not followed
    watch_fault: str | None = None  # why the kernel tells of no changes although it could

    @property
    def is_healthy(self) -> bool:
        """Whether the daemon works, or would if there were something to do."""
        return self.phase in {"running", "draining"} and not self.faults

    def to_plain(self) -> dict[str, Any]:
        """Return the status as plain dicts, lists and values, which JSON can hold."""
        return {"is_healthy": self.is_healthy, **asdict(self)}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> "Status":
        """Return the status that `to_plain` described, also after a way through JSON."""
        values = {name: value for name, value in plain.items() if name != "is_healthy"}
        values["faults"] = tuple(values["faults"])
        values["pause"] = values["pause"] and PauseStatus(**values["pause"])
        values["workers"] = tuple(WorkerStatus(**worker) for worker in values["workers"])
        values["jobs"] = tuple(JobStatus(**job) for job in values["jobs"])
        return cls(**values)

    def in_words(self) -> str:
        """Return one line that says what is going on."""
        parts = [f"{self.queued} queued"]
        if self.pause is not None:
            parts.append(f"paused: {self.pause.reason}")
        elif self.phase in {"starting", "draining"}:
            parts.append(self.phase)
        parts += [f"{job.image} {job.stage or 'begins'} {job.fraction:.0%}" for job in self.jobs]
        return ", ".join(parts)
