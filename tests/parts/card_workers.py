"""Workers of cards that are files, so that cards can be plugged and pulled; they load no torch."""

import os
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from zssr_daemon.protocol.messages import WorkCancelled, WorkerBroken, WorkerReady, WorkOrder

#: The environment variable that names the folder of the cards.
CARDS = "TEST_CARDS"


def worker_of_a_card(
    connection: "Connection[Any, Any]", device: str, threads: int, _log: Any, memory_share: float
) -> None:
    """Tell what was granted in place of torch's version; end every job at once."""
    if not (Path(os.environ[CARDS]) / device).exists():
        connection.send(WorkerBroken(message=f"{device} is unplugged"))
        return
    granted = f"{threads} threads, {memory_share:g} of the memory"
    connection.send(WorkerReady(device=device, torch_version=granted))
    while True:
        order = connection.recv()
        if isinstance(order, WorkOrder):
            connection.send(WorkCancelled(job_id=order.job_id))
