"""A probe whose package is replaced while it runs; it imports little, so that it starts quickly."""

from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from zssr_daemon.inbox.probe import ProbeReady, ProbeResult


def probe_that_raises(connection: "Connection[Any, Any]", _limits: object) -> None:
    """Meet an exception at `a.png` once, at `b.png` always."""
    connection.send(ProbeReady())
    while True:
        request = connection.recv()
        seen = Path(request.root) / f"{request.rel_path}.seen"
        if request.rel_path == "b.png" or not seen.exists():
            seen.touch()
            raise ImportError("replaced")
        connection.send(ProbeResult(request=request, sha256="0"))
