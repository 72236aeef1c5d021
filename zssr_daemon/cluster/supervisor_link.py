"""SupervisorLink: the gateway's end of the socket on which the supervisor listens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from zssr_daemon.protocol.cluster_wire import (
    CLUSTER_SOCKET_NAME,
    Decoder,
    Frame,
    GatewayFrame,
    encode,
)
from zssr_daemon.protocol.control import short_name

_CHUNK_BYTES = 1 << 16


class SupervisorLink:
    """Frames to and from the supervisor; its end is the end of the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, state_folder: Path) -> Self:
        """Dial the supervisor.

        Raises:
            OSError: no supervisor listens, or not to this user.
        """
        with short_name(state_folder / CLUSTER_SOCKET_NAME) as name:
            return cls(*await asyncio.open_unix_connection(name))

    def send(self, frame: GatewayFrame) -> None:
        """Send a frame; if the supervisor has gone, `frames` ends."""
        self._writer.write(encode(frame))

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield what the supervisor says, until it hangs up.

        Raises:
            WireError: what came is no frame.
        """
        decoder = Decoder()
        while received := await self._read():
            for frame in decoder.feed(received):
                yield frame

    async def close(self) -> None:
        """Send what is left, and hang up."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(_CHUNK_BYTES)
        except OSError:
            return b""
