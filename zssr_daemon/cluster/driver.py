"""Driver: the gateway's process, from its settings to its end; to Ray it is a driver."""

import asyncio
import io
import logging
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import ray
from rich.console import Console

from zssr_daemon import __version__
from zssr_daemon.cluster.gateway import Gateway
from zssr_daemon.cluster.node_facts import facts_of_a_child
from zssr_daemon.cluster.supervisor_link import SupervisorLink
from zssr_daemon.errors import ClusterRefusedError
from zssr_daemon.settings.cluster_table import Cluster
from zssr_daemon.settings.schema import Settings
from zssr_daemon.telemetry import logs
from zssr_daemon.telemetry.logs import Events, LogSettings

_TRY_EVERY_S = 1.0
_REACH_S = 5.0

_Found = TypeVar("_Found")


def run_gateway(settings: Settings, cluster: Cluster) -> None:
    """Serve until the supervisor ends, or SIGTERM comes.

    Raises:
        ClusterRefusedError: Ray's head does not take us.
    """
    console = Console(file=sys.stdout)
    logs.configure(LogSettings(settings.logging.level), console if console.is_terminal else None)
    sys.stdout = Printed(sys.stdout.fileno())
    asyncio.run(_serve(settings, cluster))


class Printed(io.TextIOBase):
    """Stands for standard output where Ray prints: only lines of the log go there."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        """Return where the log goes."""
        return self._fd

    def write(self, text: str) -> int:
        """Make what a library prints a line of the log that is rarely wanted."""
        if text.strip():
            logging.getLogger("ray").debug(text.rstrip())
        return len(text)


async def _serve(settings: Settings, cluster: Cluster) -> None:
    message = "asked to stop"
    _stop_on_signals()
    with suppress(asyncio.CancelledError):
        facts = asyncio.create_task(asyncio.to_thread(facts_of_a_child))  # torch loads slowly
        await _reach(cluster)
        connect(cluster)
        _stop_on_signals()  # Ray has set handlers of its own
        log = logs.get_logger()
        log.info(Events.GATEWAY_STARTED, version=__version__, address=cluster.address)
        ours = await facts  # before we dial: whoever dials has to say at once who it is
        link = await _until_there(
            lambda: SupervisorLink.open(settings.folders.state),
            f"{settings.folders.state}: no daemon with [cluster] is running on this state folder",
        )
        message = await Gateway(settings, cluster, link, ours).serve()
    ray.shutdown()
    logs.get_logger().info(Events.GATEWAY_STOPPED, message=message)


async def _reach(cluster: Cluster) -> None:
    """Wait until Ray's head listens: Ray itself would end the process after a minute."""
    await _until_there(lambda: knock(cluster), "Ray's head does not listen")


async def knock(cluster: Cluster) -> None:
    """Try whether Ray's head listens.

    Raises:
        OSError: it does not; the message names the address.
    """
    host, port = _split(cluster.address)
    _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), _REACH_S)
    writer.close()


def connect(cluster: Cluster) -> None:
    """Become a driver of Ray, on the machine of its head.

    Raises:
        ClusterRefusedError: the head does not take us.
    """
    host, _ = _split(cluster.address)
    try:
        ray.init(
            address=cluster.address,
            _node_ip_address=socket.gethostbyname(host),
            namespace="zssr",
            log_to_driver=False,
            configure_logging=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, OSError) as error:
        raise ClusterRefusedError(
            f"[cluster] address = {cluster.address!r}: {error}; has token_file the token of the "
            "head, do both use TLS or neither, and does the head run on this very machine?"
        ) from error


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _stop_on_signals() -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


async def _until_there(attempt: Callable[[], Awaitable[_Found]], message: str) -> _Found:
    """Try again and again, and say once for what we wait."""
    is_told = False
    while True:
        try:
            return await attempt()
        except OSError as error:  # TimeoutError too
            if not is_told:
                told = f"{message}: {error}"
                logs.get_logger().warning(Events.GATEWAY_WAITS, message=told)
            is_told = True
            await asyncio.sleep(_TRY_EVERY_S)
