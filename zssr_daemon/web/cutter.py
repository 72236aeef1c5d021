"""Cutter: the page's end of the child process that decodes pictures and cuts parts out of them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, Final

from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.child_process import ChildProcess
from zssr_daemon.system.confinement import DECODE_TIMEOUT_S
from zssr_daemon.web.cut_order import FAULT, MAX_SIDE, CutOrder

#: A PNG of the largest part, RGBA that cannot be compressed, with a colour profile.
_MAX_ANSWER_BYTES: Final = 5 * MAX_SIDE**2 + (16 << 20)

#: Nobody looks any more: the child, which holds decoded pictures, ends after this.
_IDLE_S: Final = 60.0


#: No picture without loss takes more for a pixel of a result: RGBA of 16 bits.
_MAX_PIXEL_BYTES: Final = 8


def shown_limits(settings: Settings) -> ImageLimits:
    """Return how large a picture may be to be shown: a result may be larger than any source."""
    limits = settings.limits
    max_pixels = max(limits.max_input_pixels, limits.max_output_pixels)
    return ImageLimits(
        max_file_bytes=max(limits.max_file_bytes, _MAX_PIXEL_BYTES * max_pixels),
        max_input_pixels=max_pixels,
        each_frame=True,
        accepts_cut=True,
    )


class Cutter:
    """Has one part after another cut; a file that kills the decoder kills the child alone."""

    def __init__(self, limits: ImageLimits, *, timeout_s: float = DECODE_TIMEOUT_S) -> None:
        self._limits = limits
        self._timeout_s = timeout_s
        # The kernel kills the child when the thread that started it ends: this one stays.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cutter")
        self._child: ChildProcess | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def child_pid(self) -> int | None:
        """The process id of the child, None where there is none now."""
        return None if self._child is None else self._child.pid

    async def cut(self, order: CutOrder) -> bytes:
        """Return the part as a PNG.

        Raises:
            ImageError: the picture cannot be decoded, or the part lies outside of it.
            OSError: no process can be started.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, self._cut, order)
        finally:
            if self._idle is not None:
                self._idle.cancel()
            self._idle = loop.call_later(_IDLE_S, self._thread.submit, self._drop_child)

    def close(self) -> None:
        """End the child."""
        if self._idle is not None:
            self._idle.cancel()
        self._thread.submit(self._drop_child).result()
        self._thread.shutdown()

    def _cut(self, order: CutOrder) -> bytes:
        if self._child is not None:
            try:
                return self._ask(self._child, order)
            except ChildProcessError:  # another picture, or somebody, may have ended it
                self._drop_child()
        self._child = ChildProcess("zssr-cutter", _serve, self._limits)
        try:
            return self._ask(self._child, order)
        except ChildProcessError as error:
            raise self._lost("the decoder died while it read the picture") from error

    def _ask(self, child: ChildProcess, order: CutOrder) -> bytes:
        """Return the part, or raise ImageError; ChildProcessError where the child is dead."""
        child.send(order)
        try:
            if not child.connection.poll(self._timeout_s):
                raise self._lost(f"not decoded within {self._timeout_s:.0f} s")
            answer = child.connection.recv_bytes(_MAX_ANSWER_BYTES)
        except (EOFError, OSError) as error:
            raise ChildProcessError("the cutter's child is dead") from error
        if answer[:1] == FAULT:
            raise ImageError(answer[1:].decode("utf-8", "replace"))
        return answer[1:]

    def _lost(self, why: str) -> ImageError:
        self._drop_child()
        return ImageError(f"the picture cannot be shown: {why}")

    def _drop_child(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None


def _serve(connection: "Connection[Any, Any]", limits: ImageLimits) -> None:
    """Be the child: it alone loads decoders."""
    from zssr_daemon.web.cutter_child import main  # noqa: PLC0415

    main(connection, limits)
