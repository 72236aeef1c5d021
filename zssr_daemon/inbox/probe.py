"""Probe: the child process in which an unknown file is decoded for the first time.

A file that kills its decoder kills this process, and neither the supervisor nor a worker. The
supervisor imports this module too, so only the child imports Pillow.
"""

import hashlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Final

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.formats import ImageInfo, ImageLimits
from zssr_daemon.system.confinement import confine
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.system.safe_open import open_source

_HASH_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeRequest:
    """Which file to examine: `rel_path` below `root`, in `os.fsdecode` form."""

    root: str
    rel_path: str
    each_frame: bool = False  # whether a file of several frames is accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What the probe found.

    For a good file there are `info`, `identity` and `sha256` (hex); for a bad one `reason` and
    `message`. Where the disk failed, there are `oserror_errno` and `message` instead.
    """

    request: ProbeRequest
    info: ImageInfo | None = None
    identity: FileIdentity | None = None
    sha256: str | None = None
    reason: Reason | None = None
    message: str | None = None
    oserror_errno: int | None = None


@dataclass(frozen=True, slots=True)
class ProbeReady:
    """The probe has loaded its decoders, and takes requests."""


def probe_main(connection: Connection, limits: ImageLimits) -> None:
    """Say `ProbeReady`, then answer requests until the pipe is closed: the child's entry."""
    # Ctrl-C at the terminal reaches the whole process group; stopping is the supervisor's task.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from zssr_daemon.imaging.decode import inspect  # noqa: PLC0415 - see the module's docstring

    confine(limits.decoder_bytes)
    try:
        connection.send(ProbeReady())
        while True:
            connection.send(examine(connection.recv(), limits, inspect))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def examine(
    request: ProbeRequest,
    limits: ImageLimits,
    inspect: Callable[[int, ImageLimits], ImageInfo],
) -> ProbeResult:
    """Open one file safely, decode and hash it, and tell whether it stayed the same meanwhile."""
    ending = os.path.splitext(request.rel_path)[1].lower()  # noqa: PTH122 (any bytes)
    limits = replace(limits, each_frame=request.each_frame, ending=ending)
    try:
        fd = open_source(request.root, request.rel_path)
        try:
            return _examine_open(request, fd, limits, inspect)
        finally:
            os.close(fd)
    except ImageError as error:
        return ProbeResult(request=request, reason=error.reason, message=str(error))
    except OSError as error:
        return ProbeResult(request=request, oserror_errno=error.errno, message=str(error))


def _examine_open(
    request: ProbeRequest,
    fd: int,
    limits: ImageLimits,
    inspect: Callable[[int, ImageLimits], ImageInfo],
) -> ProbeResult:
    """Decode and hash a file between two looks at its identity."""
    before = FileIdentity.from_stat(os.fstat(fd))
    info = sha256 = fault = None
    try:
        info = inspect(fd, limits)
        sha256 = _sha256(fd)
    except ImageError as error:
        fault = error
    if FileIdentity.from_stat(os.fstat(fd)) != before:
        message = "the file changed while it was read"
        return ProbeResult(request=request, reason=Reason.SOURCE_CHANGED, message=message)
    return ProbeResult(
        request=request,
        info=info,
        identity=before,
        sha256=sha256,
        reason=fault.reason if fault else None,
        message=str(fault) if fault else None,
    )


def _sha256(fd: int) -> str:
    """Hash the whole file behind `fd`, whatever its read position."""
    digest = hashlib.sha256()
    offset = 0
    while block := os.pread(fd, _HASH_BLOCK_BYTES, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()
