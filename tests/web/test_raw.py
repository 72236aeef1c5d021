"""The page's process, by raw sockets: what no browser sends, and more than any browser sends."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.parts.daemon_process import wait_until
from tests.parts.raw_page import RawPage, read_all, request, status_of
from tests.parts.tools import tool
from zssr_daemon.web.guard.bounds import Bounds

PNG = (Path(__file__).parents[1] / "data" / "butterfly_lr.png").read_bytes()
MAX_CONNECTIONS = 60
TOML = "[limits]\nmin_free_disk_bytes = 0\n[web]\nmax_upload_bytes = 300_000\n"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawPage]:
    """Return a page that waits for little and takes little."""
    root = tmp_path_factory.mktemp("page")
    small = Bounds(max_connections=MAX_CONNECTIONS, head_s=1.0, body_s=0.5, shutdown_s=1.0)
    with RawPage(root, toml=TOML, bounds=small) as running:
        yield running


def hidden(page: RawPage) -> list[Path]:
    """Return the parts in the inbox."""
    return list(page.inbox.rglob(".*"))


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["GET /login HTTP/1.1"], 200),
        (["GET /login HTTP/1.1", "Host: evil.example"], 421),
        (["GET /login HTTP/1.1", "Host: localhost", "Host: evil.example"], 400),
        (["GET /login HTTP/1.0", "Host: "], 421),
        (["GET /api/jobs HTTP/1.1"], 401),
        (["GET /static/../api/jobs HTTP/1.1"], 400),
        (["GET /static/..%2f..%2fapp.py HTTP/1.1"], 400),
        (["GET /static/../../../../../../etc/passwd HTTP/1.1"], 400),
        (["GET ../../etc/passwd HTTP/1.1"], 400),
        (["GET http://evil.example/ HTTP/1.1"], 400),
        (["GET * HTTP/1.1"], 400),
        (["POST /batches HTTP/1.1", "Origin: http://evil.example", "X-ZSSR: 1"], 403),
        (["POST /batches HTTP/1.1", "X-ZSSR: 1"], 403),
        (["POST /batches HTTP/1.1", "Origin: http://localhost", "X-ZSSR: 1"], 401),
        (["NONSENSE"], 400),
        (["GET /login HTTP/1.1", "X: " + "x" * 20_000], 431),
        (["GET /login?" + "x" * 20_000 + " HTTP/1.1"], 431),
        (["GET /login HTTP/1.1", *(f"X-{n}: 1" for n in range(80))], 431),
    ],
    ids=lambda value: value[0][:40] if isinstance(value, list) else "",
)
def test_raw_requests(page: RawPage, lines: list[str], status: int) -> None:
    """Each gets its answer, and each answer the headers that bind browsers."""
    answer = page.send(*lines)
    assert status_of(answer) == status, answer
    assert b"content-security-policy: default-src 'none'" in answer


def test_chunked_body_beyond_the_limit(page: RawPage) -> None:
    """It is refused while it comes, and nothing of it stays."""
    chunk = b"%x\r\n" % len(PNG) + PNG + b"\r\n"
    path = f"/batches/{page.batch()}/files/a.png"
    answer = page.write("PUT", path, "Transfer-Encoding: chunked", body=chunk * 12 + b"0\r\n\r\n")
    assert status_of(answer) == 413, answer
    wait_until(lambda: not hidden(page), "the part to be removed")


def test_slow_body(page: RawPage) -> None:
    """A body that stops is answered, and nothing of it stays."""
    path = f"/batches/{page.batch()}/files/a.png"
    answer = page.write("PUT", path, "Transfer-Encoding: chunked", body=b"8\r\n" + PNG[:8])
    assert status_of(answer) == 408, answer
    wait_until(lambda: not hidden(page), "the part to be removed")


def test_upload_broken_off(page: RawPage) -> None:
    """A browser that leaves leaves nothing behind."""
    path = f"/batches/{page.batch()}/files/a.png"
    own = [f"Cookie: {page.cookie}", "X-ZSSR: 1", "Origin: http://localhost"]
    with page.connect() as connection:
        head = request(f"PUT {path} HTTP/1.1", *own, "Content-Length: 200000")
        connection.sendall(head + PNG[:2000])
        wait_until(lambda: len(hidden(page)) == 1, "the part to be begun")
    wait_until(lambda: not hidden(page), "the part to be removed")


@pytest.mark.parametrize("sent", [b"", b"GET /login HT", request("GET /login HTTP/1.1")[:-2]])
def test_slow_head(page: RawPage, sent: bytes) -> None:
    """A connection that asks nothing is closed; uvicorn alone would wait for ever."""
    with page.connect() as connection:
        connection.sendall(sent)
        assert read_all(connection) == b""


def test_refused_body_without_end(page: RawPage) -> None:
    """What is sent after a refusal is thrown away, and not for ever."""
    with page.connect() as connection:
        head = b"POST /batches HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head)
        assert status_of(read_all(connection)) == 403  # and the connection ends


def test_many_connections_at_once(page: RawPage) -> None:
    """Each is answered or refused in order, the memory is bounded, and then all goes on."""
    assert status_of(page.send("GET /login HTTP/1.1")) == 200
    before = page.rss_bytes
    with ExitStack() as stack:
        connections = [stack.enter_context(page.connect()) for _ in range(500)]
        for connection in connections[MAX_CONNECTIONS:]:
            assert status_of(connection.recv(65536)) in {503, 0}
        grown = page.rss_bytes - before
    assert grown < 20_000_000
    wait_until(lambda: status_of(page.send("GET /login HTTP/1.1")) == 200, "room again")


def test_many_connections_one_after_the_other(page: RawPage) -> None:
    """The memory does not grow with their number (stress/web_flood.py makes 10 000)."""

    def call(times: int) -> int:
        for _ in range(times):
            assert status_of(page.send("GET /login HTTP/1.1")) == 200
        return page.rss_bytes

    assert call(150) - call(50) < 4_000_000


def test_stop_is_not_held_up_by_streams(tmp_path: Path) -> None:
    """SIGTERM ends streams of events at once; uvicorn alone would wait for them."""
    patient = Bounds(shutdown_s=60)
    with RawPage(tmp_path, bounds=patient) as page, page.connect() as connection:
        connection.sendall(request("GET /events HTTP/1.1", f"Cookie: {page.cookie}"))
        content = b""
        while b"event: snapshot" not in content:
            content += connection.recv(65536)
        page.stop()
        read_all(connection)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take the network away")
def test_page_serves_without_any_network(tmp_path: Path) -> None:
    """As under systemd with PrivateNetwork: the socket that it is handed is all it needs."""
    alone = (tool("unshare", package="util-linux"), "--net")
    with RawPage(tmp_path, inside=alone) as page:
        assert status_of(page.put(page.batch(), "a.png", PNG)) == 201
        assert page.networks() == ["lo"]


@pytest.mark.parametrize("listen", ["0.0.0.0", "127.0.0.1"])
def test_inherited_socket_is_looked_at(tmp_path: Path, listen: str) -> None:
    """Systemd may hand over one that other machines reach, whatever the settings say."""
    page = RawPage(tmp_path, host=listen)
    if listen == "127.0.0.1":
        with page:
            assert status_of(page.send("GET /login HTTP/1.1")) == 200
    else:
        assert b"other machines reach 0.0.0.0" in page.failure()
