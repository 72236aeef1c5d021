"""Child: the process that decodes one file in one of CONFINED_FORMATS, and ends.

It is started by `decoder` with two descriptors: a socket, and the bytes of the file in
memory. It answers with one message and, for a picture, a descriptor of sealed memory.
"""

import json
import mmap
import signal
import socket
import sys
from typing import Final

from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.decode import count_frames, load
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.system.child_process import tie_to_parent
from zssr_daemon.system.confinement import DECODE_TIMEOUT_S, confine
from zssr_daemon.worker.confined.sealed_picture import max_sealed_bytes, seal

_MAX_ORDER_BYTES: Final = 4096


def main(socket_fd: int, data_fd: int, parent_pid: int) -> None:
    """Do the one order that comes through the socket."""
    tie_to_parent("zssr-decoder", parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the supervisor's
    with socket.socket(fileno=socket_fd) as end:
        order = json.loads(end.recv(_MAX_ORDER_BYTES))
        limits = ImageLimits(**order["limits"])
        confine(
            limits.decoder_bytes,
            cpu_s=round(DECODE_TIMEOUT_S),
            max_written_bytes=max_sealed_bytes(limits),
        )
        with mmap.mmap(data_fd, 0, access=mmap.ACCESS_READ) as memory:
            data = bytes(memory)
        _answer(end, data, limits, order["frame"])


def _answer(end: socket.socket, data: bytes, limits: ImageLimits, frame: int | None) -> None:
    """Send the number of frames where `frame` is None, and else the picture; or the fault."""
    try:
        if frame is None:
            end.send(json.dumps({"frames": count_frames(data, limits)}).encode())
            return
        fd = seal(load(data, limits, frame))
    except ImageError as error:
        end.send(json.dumps({"reason": error.reason, "message": str(error)[:1000]}).encode())
        return
    socket.send_fds(end, [b"{}"], [fd])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
