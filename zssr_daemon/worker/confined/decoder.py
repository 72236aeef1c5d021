"""Decoder: a worker's end of the child process that decodes what the worker must not.

The worker never runs the decoder of a file in one of CONFINED_FORMATS: it starts a child for each
picture, whose limits are those of the probe, and takes raw samples and metadata from it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.samples.decoded import DecodedImage, finished
from zssr_daemon.system.confinement import DECODE_TIMEOUT_S
from zssr_daemon.worker.confined.sealed_picture import unseal

_MAX_ANSWER_BYTES: Final = 8192


class _Answer(BaseModel):
    """What the child says: nothing beside a picture, or a number of frames, or a fault."""

    model_config = ConfigDict(extra="forbid")

    frames: Annotated[int, Field(ge=1)] | None = None
    reason: Reason | None = None
    message: str = ""


def decode_confined(data: bytes, limits: ImageLimits, frame: int = 0) -> DecodedImage:
    """Have a child decode a frame of the file in `data`; the result is that of `decode`.

    Raises ImageError with the reason; OSError where no process can be started.
    """
    _, fd = _ask(data, limits, frame)
    if fd is None:
        raise _no_picture("it sent none")
    try:
        return finished(unseal(fd, limits))
    finally:
        os.close(fd)


def count_frames_confined(data: bytes, limits: ImageLimits) -> int:
    """Have a child count the frames of the file in `data`. Raises as `decode_confined`."""
    answer, fd = _ask(data, limits, None)
    if fd is not None:
        os.close(fd)
    if answer.frames is None:
        raise _no_picture("it did not count")
    return answer.frames


def _ask(data: bytes, limits: ImageLimits, frame: int | None) -> tuple[_Answer, int | None]:
    """Start a child, give it its order, and return its answer and the descriptor it sent."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = _start(theirs, data)
        try:
            ours.settimeout(DECODE_TIMEOUT_S)
            ours.send(json.dumps({"limits": asdict(limits), "frame": frame}).encode())
            answer, fds, _, _ = socket.recv_fds(ours, _MAX_ANSWER_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
        except TimeoutError as error:
            raise _no_picture(f"not decoded within {DECODE_TIMEOUT_S:.0f} s") from error
        except (BrokenPipeError, ConnectionResetError):
            answer, fds = b"", []
        finally:
            exit_code = _end(process)
    fd = fds[0] if fds else None
    try:
        return _read(answer, exit_code), fd
    except ImageError:
        if fd is not None:
            os.close(fd)
        raise


def _start(theirs: socket.socket, data: bytes) -> "subprocess.Popen[bytes]":
    """Start the child with the socket and the file in memory.

    It finds its modules where this process does, and no others.
    """
    path = os.pathsep.join(folder for folder in sys.path if folder)
    fd = os.memfd_create("zssr-source", os.MFD_CLOEXEC)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(data)
        return subprocess.Popen(  # noqa: S603 (our own module)
            [
                *(sys.executable, "-P", "-m", "zssr_daemon.worker.confined.child"),
                *map(str, (theirs.fileno(), fd, os.getpid())),
            ],
            env={**os.environ, "PYTHONPATH": path},
            pass_fds=(theirs.fileno(), fd),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    finally:
        os.close(fd)


def _end(process: "subprocess.Popen[bytes]") -> int:
    """End the child, which has nothing more to say; return how it ended."""
    process.kill()
    return process.wait()


def _how_it_ended(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


def _read(answer: bytes, exit_code: int) -> _Answer:
    """Check what the child said, and raise its fault."""
    if not answer:
        raise _no_picture(f"it died ({_how_it_ended(exit_code)})")
    try:
        read = _Answer.model_validate_json(answer)
    except ValidationError as error:
        raise _no_picture(str(error)) from error
    if read.reason is not None:
        raise ImageError(read.message, reason=read.reason)
    return read


def _no_picture(why: str) -> ImageError:
    return ImageError(f"the decoder gave no picture: {why}", reason=Reason.CORRUPT)
