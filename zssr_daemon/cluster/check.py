"""ClusterCheck: whether token, versions and every node are ready; each node does a tiny job."""

import asyncio
import importlib.metadata
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import ray
from PIL import Image
from ray.exceptions import RayError

from zssr_daemon.cluster.driver import connect, knock
from zssr_daemon.cluster.gateway import threads_of
from zssr_daemon.cluster.node_facts import Facts, facts_of_a_child
from zssr_daemon.cluster.nodes import Node, living_nodes, why_refused
from zssr_daemon.cluster.remote_life import Place, RemoteLife
from zssr_daemon.errors import ClusterRefusedError
from zssr_daemon.protocol.messages import (
    WorkDone,
    WorkerBroken,
    WorkerLoaded,
    WorkFailed,
    WorkMessage,
    WorkOrder,
)
from zssr_daemon.settings.cluster_table import Cluster
from zssr_daemon.settings.rules import image_limits, output_rules
from zssr_daemon.settings.schema import Settings
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.zssr.config import ZSSRConfig

#: What a fit takes that is only there to be tried.
_TINY = ZSSRConfig(start="none", num_epochs=2, rounds=1, crop_size=8, model_width=4, model_depth=2)

#: A node whose actor does not start, or whose job does not end, is told after this.
_JOB_S = 120.0


class Finding(NamedTuple):
    """The result of one check; the message of a fault says how to mend it."""

    name: str
    is_good: bool
    message: str


async def check_cluster(settings: Settings, cluster: Cluster) -> AsyncIterator[Finding]:
    """Check the cluster; token and certificates were found good already."""
    yield Finding("cluster token", True, f"{cluster.token_file}, closed to others")
    clear = "off: token and pictures cross the network in clear; see docs/cluster.md"
    yield Finding("cluster tls", True, "on" if cluster.tls else clear)
    facts = await asyncio.to_thread(facts_of_a_child)
    told = f"ray {importlib.metadata.version('ray')}, torch {facts['torch']}"
    yield Finding("cluster versions", True, f"{told}, {facts['processor']}")
    try:
        await knock(cluster)
        connect(cluster)
        nodes = living_nodes()
    except (ClusterRefusedError, OSError) as error:
        yield Finding("cluster head", False, str(error) or f"{cluster.address}: no answer")
        return
    try:
        cure = "" if nodes else "; start one: docs/cluster.md says how"
        message = f"{cluster.address}, {len(nodes)} nodes{cure}"
        yield Finding("cluster head", bool(nodes), message)
        for node in nodes:
            yield await _check_node(node, settings, facts)
    finally:
        ray.shutdown()


async def _check_node(node: Node, settings: Settings, facts: Facts) -> Finding:
    name = f"node {node.name}"
    try:
        why = await why_refused(node, settings.cluster, threads_of(settings), facts)
        if why is not None:
            return Finding(name, False, why)
        begun_s = time.monotonic()
        fault = await asyncio.wait_for(_tiny_job(node, settings), _JOB_S)
    except (RayError, TimeoutError) as error:
        message = str(error).strip() or "no answer; is it busy, or out of reach?"
        return Finding(name, False, message)
    took_s = time.monotonic() - begun_s
    message = f"{node.places} slots, a tiny job took {took_s:.1f} s with its start"
    return Finding(name, fault is None, fault or message)


async def _tiny_job(node: Node, settings: Settings) -> str | None:
    """Let a node enlarge a tiny picture; return what went wrong."""
    news: asyncio.Queue[WorkMessage | WorkerLoaded] = asyncio.Queue()
    place = Place(
        slot="check",
        node=node,
        device=node.device,
        threads=threads_of(settings),
        cards=0.0,
        level=settings.logging.level,
        is_guest=True,
    )
    life = RemoteLife(place, news.put_nowait)
    living = asyncio.create_task(life.live(lambda: True))
    try:
        with tempfile.TemporaryDirectory() as folder:
            life.give(_tiny_order(Path(folder), settings))
            while True:
                next_news = asyncio.create_task(news.get())
                await asyncio.wait({living, next_news}, return_when=asyncio.FIRST_COMPLETED)
                if not next_news.done():
                    next_news.cancel()
                    return living.result()[1]
                match next_news.result():
                    case WorkDone():
                        return None
                    case WorkFailed(message=message) | WorkerBroken(message=message):
                        return message
    finally:
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


def _tiny_order(folder: Path, settings: Settings) -> WorkOrder:
    source = folder / "tiny.png"
    Image.linear_gradient("L").resize((12, 12)).save(source)
    return WorkOrder(
        job_id="0" * 32,
        inbox=str(folder),
        src_rel=source.name,
        identity=FileIdentity.from_stat(source.stat()),
        part=str(folder / f".{'0' * 32}.1.part"),
        config=_TINY,
        limits=image_limits(settings.limits, settings.output),
        output=output_rules(settings.limits, settings.output),
        weights_folder=None,
    )
