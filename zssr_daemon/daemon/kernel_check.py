"""KernelCheck: the kernel file of the settings, read once at the start and tried before any job.

The trial runs in a process of its own, because decoding a kernel needs libraries that the
supervisor never loads.
"""

from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

from zssr_daemon.errors import KernelError, SettingsError
from zssr_daemon.protocol.kernel_file import KERNEL_FILE_BYTES, KernelFile
from zssr_daemon.settings.schema import Settings
from zssr_daemon.zssr.config import KernelPhase


def configured_kernel(settings: Settings) -> KernelFile | None:
    """Return the kernel file that `[degradation] kernel` names; None if it names none.

    Later changes of the file have no effect: every job gets what was read here.

    Raises:
        SettingsError: it cannot be read, holds no kernel, or the scale is too large for one.
    """
    path = settings.degradation.resolved(settings.zssr.preset).kernel
    if path in ("bicubic", "auto"):
        return None
    try:
        settings.zssr.in_one_pass()
        if not isinstance(path, Path):
            return None
        kernel = KernelFile(name=path.name, content=_read(path))
        _try(kernel, settings.degradation.kernel_phase)
    except (OSError, ValueError, KernelError, BrokenProcessPool) as error:
        raise SettingsError(f"[degradation] kernel = {str(path)!r}: {error}") from error
    return kernel


def _read(path: Path) -> bytes:
    if not path.is_file():  # opening a fifo would wait for its writer
        raise ValueError("there is no such file")
    with path.open("rb") as stream:
        return stream.read(KERNEL_FILE_BYTES + 1)


def _try(kernel: KernelFile, phase: KernelPhase) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        fault = pool.submit(_fault, kernel, phase).result()
    if fault is not None:
        raise KernelError(fault)


def _fault(kernel: KernelFile, phase: KernelPhase) -> str | None:
    """Return why a kernel cannot be used, or None; runs in the process of the trial."""
    from zssr_daemon.worker.kernel_files import load_kernel  # noqa: PLC0415 (loads torch)

    try:
        load_kernel(kernel, phase)
    except KernelError as error:
        return str(error)
    return None
