"""ProgressBoard: on a terminal, one progress bar per job, below the log lines."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from zssr_daemon.ledger.job import Job
from zssr_daemon.protocol.messages import WorkProgress
from zssr_daemon.system.file_names import printable


class ProgressBoard:
    """Bars for the jobs in work, and a line for the queue."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._queue_task = self._progress.add_task("", total=None, visible=False, detail="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, job: Job, progress: WorkProgress, eta_s: float | None) -> None:
        """Draw a job's bar."""
        self.draw(job.id, printable(job.src_rel), progress, eta_s)

    def draw(self, key: str, name: str, progress: WorkProgress, eta_s: float | None) -> None:
        """Draw the bar `key`, labelled `name`."""
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(name, total=1.0, detail="")
        self._progress.update(
            self._tasks[key], completed=progress.fraction, detail=_detail(progress, eta_s)
        )

    def clear(self, key: str) -> None:
        """Remove the bar `key`."""
        task = self._tasks.pop(key, None)
        if task is not None:
            self._progress.remove_task(task)

    def queue(self, waiting: int) -> None:
        """Show how many jobs wait."""
        self._progress.update(
            self._queue_task, visible=waiting > 0, description=f"{waiting} waiting"
        )


def _detail(progress: WorkProgress, eta_s: float | None) -> str:
    parts = [f"{progress.stage} {progress.step}/{progress.steps}"]
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.4f}")
    if eta_s is not None:
        parts.append(f"{clock(eta_s)} left")
    return ", ".join(parts)


def clock(seconds: float) -> str:
    """Write a time span as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Board(Protocol):
    """Where people see progress."""

    def show(self, job: Job, progress: WorkProgress, eta_s: float | None) -> None:
        """Show how far a job is."""

    def clear(self, key: str) -> None:
        """Take a job that ended, or went back, off the board; `key` is its id."""

    def queue(self, waiting: int) -> None:
        """Show how many jobs wait."""
