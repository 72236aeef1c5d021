"""WebFlood: the web page under uploads, watchers and connections; the daemon's loop beside it.

python -m stress.web_flood

One after the other: a daemon alone; the same beside a page with watchers (streams of events) and
uploads of 1 MB, until all are queued; connections one after the other; and, when the page is gone,
as many files dropped into the inbox, to compare with. For each part it says how much processor time
a turn of the supervisor's loop takes. Exit code 1: an upload was not answered 201, a turn's p99 is
above 50 ms, or the memory of the page went beyond `--max-memory-mib`.
"""

import argparse
import http.client
import os
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.provenance import provenance, save
from stress.process_facts import cpu_s, memory_bytes
from tests.parts.daemon_process import ENDLESS_ZSSR, DaemonProcess, prepare, wait_until
from tests.parts.page_process import PageProcess, free_port
from zssr_daemon.protocol.web_token import read_token
from zssr_daemon.settings.schema import Watch
from zssr_daemon.web.guard.sessions import Sessions

_ALONE_S = 20.0
_SENDERS = 6  # as many connections as a browser opens
_LOOK_S = 0.5
_SIDE = 590  # of a noisy picture of about 1 MB
_MAX_TURN_S = 0.05


def main() -> None:
    """Flood one page, print, write to bench/results/."""
    options = parse()
    with tempfile.TemporaryDirectory(prefix="zssr-web-") as folder:
        result = flood(Path(folder), options)
    for name, value in result.items():
        print(f"{name}: {value}")
    if not options.no_write:
        save({**provenance(), "load_before": options.load, **result}, "web_flood.json")
    is_small = result["page_peak_bytes"] <= options.max_memory_mib << 20
    is_quick = all(part["p99_s"] <= _MAX_TURN_S for part in result["supervisor_turns"].values())
    sys.exit(0 if is_small and is_quick and result["refused_uploads"] == 0 else 1)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uploads", type=int, default=1000)
    parser.add_argument("--watchers", type=int, default=100)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--max-memory-mib", type=int, default=150)
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser.parse_args(namespace=argparse.Namespace(load=os.getloadavg()[0]))


def flood(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run all parts in `root`; return the numbers."""
    port = free_port()
    inbox = prepare(root, ENDLESS_ZSSR, f'[web]\nlisten = "127.0.0.1:{port}"\n')
    settings = root / "settings.toml"
    patient = "threads = 1\nsilent_after_s = 86400.0"  # as the worker is stopped below
    text = settings.read_text().replace("threads = 1", patient)
    interval = f"scan_interval_s = {Watch().scan_interval_s}"  # as shipped: a scan is a long turn
    settings.write_text(text.replace("scan_interval_s = 0.5", interval))
    (inbox / "endless.png").write_bytes(noise(0, 64))
    times = {"STEP_TIMES": str(root / "turns")}
    parts: dict[str, tuple[float, float]] = {}
    with DaemonProcess(root, command=("-m", "stress.timed_daemon"), environment=times) as daemon:
        daemon.wait_for("job_started")
        (worker,) = daemon.workers()
        os.kill(worker, signal.SIGSTOP)  # so that its fit, which has no end, takes no processor
        with timed(parts, "alone"):
            time.sleep(_ALONE_S)
        result = flood_page(root, port, options, parts)
        with timed(parts, "files without page"):
            drop(inbox, options.uploads)
            wait_for_queue(root, 2 * options.uploads)
        os.kill(worker, signal.SIGCONT)
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
    return result | {"supervisor_turns": turns(root / "turns", parts)}


def flood_page(
    root: Path, port: int, options: argparse.Namespace, parts: dict[str, tuple[float, float]]
) -> dict[str, Any]:
    """Start the page and run the parts that need it."""
    state = root / "state"
    cookie = f"zssr={Sessions(state).begin(read_token(state))}"
    with PageProcess(root, port) as page, watching(port, cookie, options.watchers) as watched:
        idle_bytes = memory_bytes(page.pid, is_peak=False)
        before_s = cpu_s(page.pid)
        with timed(parts, "uploads and watchers"):
            first_s = time.monotonic()
            took = upload(port, cookie, options.uploads)
            uploads_s = time.monotonic() - first_s
            uploaded_cpu_s = cpu_s(page.pid) - before_s
            wait_for_queue(root, options.uploads)
        with timed(parts, "connections and watchers"):
            connect(port, options.connections)
        begin_s, end_s = parts["connections and watchers"]
        return {
            "uploads": options.uploads,
            "refused_uploads": options.uploads - len(took),
            "uploads_per_s": round(len(took) / uploads_s, 1),
            "upload_p50_s": round(float(np.quantile(took, 0.5)), 3),
            "upload_p99_s": round(float(np.quantile(took, 0.99)), 3),
            "page_cpu_s_of_uploads": round(uploaded_cpu_s, 1),
            "watchers": options.watchers,
            "events_of_all_watchers": watched.events,
            "connections": options.connections,
            "connections_per_s": round(options.connections / (end_s - begin_s), 1),
            "page_bytes_with_watchers": idle_bytes,
            "page_peak_bytes": memory_bytes(page.pid, is_peak=True),
        }


@contextmanager
def timed(parts: dict[str, tuple[float, float]], name: str) -> Iterator[None]:
    """Note when a part begins and ends, by the monotonic clock."""
    first_s = time.monotonic()
    yield
    parts[name] = (first_s, time.monotonic())


def noise(seed: int, side: int) -> bytes:
    """Return a PNG that cannot be compressed, each of another content."""
    levels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    with tempfile.SpooledTemporaryFile(1 << 22) as stream:
        Image.fromarray(levels).save(stream, "PNG", compress_level=1)
        stream.seek(0)
        return stream.read()


def drop(inbox: Path, files: int) -> None:
    """Drop pictures as large as the uploads, each under its name at once."""
    content = noise(2, _SIDE)
    for number in range(files):
        part = inbox / ".part"
        part.write_bytes(content + number.to_bytes(8, "big"))
        part.rename(inbox / f"{number:06}.png")


def wait_for_queue(root: Path, files: int) -> None:
    """Wait until so many files have jobs, besides the one that is in work."""
    while (root / "state" / "daemon.jsonl").read_bytes().count(b'"job_queued"') <= files:
        time.sleep(_LOOK_S)


def upload(port: int, cookie: str, uploads: int) -> list[float]:
    """Send so many pictures by a few connections; return the seconds of each that came in."""
    own = {"Cookie": cookie, "X-ZSSR": "1", "Origin": f"http://127.0.0.1:{port}"}
    content = noise(1, _SIDE)
    numbers = iter(range(uploads))
    lock = threading.Lock()
    took: list[float] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", "/batches", "{}", own)
        batch = connection.getresponse().read().decode().split('"')[3]
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            first_s = time.monotonic()
            # Bytes behind the end of a PNG make each file another one.
            body = content + number.to_bytes(8, "big")
            connection.request("PUT", f"/batches/{batch}/files/{number:06}.png", body, own)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 201:
                took.append(time.monotonic() - first_s)

    with ThreadPoolExecutor(_SENDERS) as senders:
        for done in [senders.submit(send) for _ in range(_SENDERS)]:
            done.result()
    return took


def connect(port: int, connections: int) -> None:
    """Open connections one after the other, each with one request."""
    head = f"GET /login HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    for _ in range(connections):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head)
            answer = connection.recv(64)
            assert answer.startswith(b"HTTP/1.1 200"), answer


class Watchers:
    """Streams of events, all read by one thread."""

    def __init__(self, port: int, cookie: str, number: int) -> None:
        self.events = 0
        self.is_over = False
        self._selector = selectors.DefaultSelector()
        head = f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
        for _ in range(number):
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.sendall(head.encode())
            self._selector.register(connection, selectors.EVENT_READ)

    def read(self) -> None:
        """Read until it is over."""
        while not self.is_over:
            for key, _ in self._selector.select(0.5):
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                self.events += connection.recv(1 << 16).count(b"event: ")

    def close(self) -> None:
        """Close all."""
        for key in list(self._selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self._selector.close()


@contextmanager
def watching(port: int, cookie: str, number: int) -> Iterator[Watchers]:
    """Have the queue watched meanwhile."""
    watchers = Watchers(port, cookie, number)
    thread = threading.Thread(target=watchers.read)
    thread.start()
    try:
        wait_until(lambda: watchers.events >= number, "every watcher to see the queue")
        yield watchers
    finally:
        watchers.is_over = True
        thread.join()
        watchers.close()


def turns(file: Path, parts: dict[str, tuple[float, float]]) -> dict[str, dict[str, float]]:
    """Return what a turn of the supervisor took in each part, in seconds of its processor time."""
    table = np.loadtxt(file, ndmin=2)
    found = {}
    for name, (first_s, last_s) in parts.items():
        took = table[(table[:, 0] >= first_s) & (table[:, 0] <= last_s), 1]
        quantiles = {f"p{q}_s": round(float(np.quantile(took, q / 100)), 4) for q in (50, 99)}
        found[name] = {"turns": len(took), **quantiles, "max_s": round(float(took.max()), 4)}
    return found


if __name__ == "__main__":
    main()
