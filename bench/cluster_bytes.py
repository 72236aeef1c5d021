"""Cluster bytes: what it costs to move a source to a node and a result of its size back.

Run by `bench.cluster`, inside its network namespace: python -m bench.cluster_bytes ADDRESS
"""

import asyncio
import hashlib
import json
import logging
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from tests.parts.worker_parts import order_for
from zssr_daemon.cluster.nodes import living_nodes
from zssr_daemon.cluster.order_files import ResultSink
from zssr_daemon.cluster.remote_life import Place
from zssr_daemon.cluster.scratch import CHUNK_BYTES, ResultFile, SourceCopy

_SIZES_MB = (1, 20, 100)
_ROUNDS = 5


async def move(actor: Any, folder: Path, size_mb: int) -> dict[str, float]:
    """Move so many megabytes both ways, several times; return the means."""
    content = b"no picture" * (size_mb * 100_000)
    order = replace(order_for(folder), src_rel="a.png")
    digest = hashlib.sha256(content).hexdigest()
    file = ResultFile(name="../inbox/a.png", size_bytes=len(content), sha256=digest)
    begun_s, cpu_s = time.monotonic(), time.process_time()
    for _ in range(_ROUNDS):
        await actor.work.remote(order, SourceCopy(content=content, mode=0o644))
        with (folder / "back").open("wb") as stream:
            sink = ResultSink(stream.fileno(), file)
            for offset in range(0, len(content), CHUNK_BYTES):
                sink.write(await actor.chunk.remote(file.name, offset))
            sink.check()
    return {
        "megabytes_each_way": size_mb,
        "seconds": round((time.monotonic() - begun_s) / _ROUNDS, 3),
        "gateway_cpu_s": round((time.process_time() - cpu_s) / _ROUNDS, 3),
    }


async def measure() -> list[dict[str, float]]:
    """Measure all sizes on one node."""
    node = living_nodes()[0]
    place = Place(slot="bench", node=node, device="cpu", threads=1, cards=0, level="error")
    actor = replace(place, is_guest=True).start()
    with tempfile.TemporaryDirectory() as folder:
        await move(actor, Path(folder), 1)  # the first one also starts the actor
        return [await move(actor, Path(folder), size_mb) for size_mb in _SIZES_MB]


def main() -> None:
    """Measure as a driver of Ray, and print a line of JSON."""
    address = sys.argv[1]
    host = address.partition(":")[0]
    ray.init(
        address=address, _node_ip_address=host, log_to_driver=False, logging_level=logging.ERROR
    )
    print(json.dumps(asyncio.run(measure())))


if __name__ == "__main__":
    main()
