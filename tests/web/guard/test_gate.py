"""The gate: what is refused before any view sees it, and what every answer leaves with."""

import re

import pytest
from starlette.testclient import TestClient

from tests.parts.tiny_settings import SettingsFactory
from tests.parts.web_browser import ScriptedDaemon, browser
from zssr_daemon.web.guard.bounds import Bounds
from zssr_daemon.web.guard.headers import SECURITY_HEADERS

PAGE = {"Accept": "text/html"}


@pytest.fixture
def client(make_settings: SettingsFactory) -> TestClient:
    """Return a browser that is logged in."""
    return browser(make_settings(web={"allowed_hosts": ("localhost", "::1", "scans.example")}))


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8770", "localhost.", "[::1]:8770", "scans.example"]
)
def test_own_hosts_are_answered(client: TestClient, host: str) -> None:
    """In capitals or not, whatever the port is."""
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil-localhost", "scans.example@evil", "", "x y"],
)
def test_foreign_host_is_refused(client: TestClient, host: str) -> None:
    """The whole name counts, so that no name of another site leads here (DNS rebinding)."""
    assert client.get("/", headers={"Host": host}).status_code == 421


def test_foreign_host_is_told_the_cure(client: TestClient) -> None:
    """The line to add, in the words of settings.toml; for people as text, for scripts as JSON."""
    refused = client.get("/api/jobs", headers={"Host": "nas.lan:8770"})
    assert '[web] allowed_hosts = [..., "nas.lan"]' in refused.json()["cure"]
    refused = client.get("/", headers={"Host": "nas.lan:8770"} | PAGE)
    assert refused.headers["content-type"].startswith("text/plain")
    assert '"nas.lan"' in refused.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:8770"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": "http://user@localhost"},
        {"Origin": "http://localhost/"},
        {"Origin": "ftp://localhost"},
        {"Origin": "http://localhost:99999"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-ZSSR": ""},
    ],
)
def test_writes_of_other_sites_are_refused(client: TestClient, headers: dict[str, str]) -> None:
    """Whatever other sites can make a browser send lacks something of this."""
    assert client.post("/batches", json={}).status_code == 201
    assert client.post("/batches", json={}, headers=headers).status_code == 403


def test_origin_behind_a_proxy_with_tls(client: TestClient) -> None:
    """The proxy speaks https to the browser and http to us, and the port is that of https."""
    ours = {"Host": "scans.example", "Origin": "https://scans.example"}
    assert client.post("/batches", json={}, headers=ours).status_code == 201


def test_page_with_tls_is_no_origin_of_plain_text(client: TestClient) -> None:
    """With TLS of our own, http is another site."""
    client.base_url = "https://localhost"
    assert (
        client.post("/batches", json={}, headers={"Origin": "http://localhost"}).status_code == 403
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ({"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        (
            {
                "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate",
                "Sec-Fetch-Dest": "iframe",
            },
            403,
        ),
    ],
)
def test_other_sites_may_only_link(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    """Nothing of the page is loaded into theirs."""
    assert client.get("/", headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/", "/try", "/api/jobs", "/events", "/jobs/1/result", "/x"])
def test_nothing_without_login(make_settings: SettingsFactory, path: str) -> None:
    """Scripts are told so; people are led to the login."""
    client = browser(make_settings(), is_logged_in=False)
    assert client.get(path).status_code == 401
    led = client.get(path, headers=PAGE)
    assert (led.status_code, led.headers["location"]) == (303, "/login")


def test_no_write_without_login(make_settings: SettingsFactory) -> None:
    """Not even of a new batch."""
    settings = make_settings()
    client = browser(settings, is_logged_in=False)
    assert client.post("/batches", json={}).status_code == 401
    assert client.put("/batches/b/files/a.png", content=b"x").status_code == 401
    assert list(settings.folders.inbox.iterdir()) == []


def test_login_needs_no_login(make_settings: SettingsFactory) -> None:
    """Nor what it is drawn with."""
    client = browser(make_settings(), is_logged_in=False)
    for path in ("/login", "/static/login.js", "/favicon.ico"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(
    "path",
    [
        "/static/..%2f..%2fapp.py",
        "/static/..%5c..%5capp.py",
        "/static/%2e%2e%2f%2e%2e%2fapp.py",
        "/static/app%00.py",
    ],
)
def test_no_path_leads_out(client: TestClient, path: str) -> None:
    """However it is written."""
    assert client.get(path).status_code == 400
    assert client.get("/static//etc/passwd").status_code == 404


def test_too_many_headers_are_refused(make_settings: SettingsFactory) -> None:
    """Before anything looks at them."""
    client = browser(make_settings(), bounds=Bounds(max_headers=20))
    assert client.get("/", headers={f"X-{n}": "1" for n in range(30)}).status_code == 431


def test_odd_methods_and_lengths_are_refused(client: TestClient) -> None:
    """A length that is given twice could be read in two ways by a proxy and by us."""
    assert client.request("TRACE", "/").status_code == 405
    twice = {"Transfer-Encoding": "chunked", "Content-Length": "2"}
    assert client.post("/batches", content=b"{}", headers=twice).status_code == 400


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/static/login.js", {}, 200),
        ("/nowhere", {}, 404),
        ("/logout", {}, 405),
        ("/", {"Host": "evil"}, 421),
        ("/api/jobs", {}, 503),
    ],
)
def test_every_answer_is_secured(
    client: TestClient, path: str, headers: dict[str, str], status: int
) -> None:
    """Errors too: nothing inline, nothing framed, nothing guessed, nothing kept."""
    answer = client.get(path, headers=headers)
    assert answer.status_code == status
    for name, value in SECURITY_HEADERS:
        assert answer.headers[name.decode()] == value.decode()


def test_faults_of_ours_are_secured_too(make_settings: SettingsFactory) -> None:
    """And say nothing of what went wrong."""
    client = browser(make_settings(), ScriptedDaemon(lambda _: {"unforeseen": 1}))
    quiet = TestClient(client.app, "http://localhost", raise_server_exceptions=False)
    quiet.cookies.update(client.cookies)
    answer = quiet.get("/api/jobs")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert {name.decode() for name, _ in SECURITY_HEADERS} <= set(answer.headers)


def test_policy_allows_nothing_inline(client: TestClient) -> None:
    """And the pages hold nothing of that kind."""
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for path in ("/", "/login", "/try", "/jobs/1"):
        text = client.get(path).text
        assert "<style" not in text, path
        assert " style=" not in text, path
        assert not re.search(r"\son\w+ *=", text), path
        assert text.count("<script") == text.count('<script type="module" src="/static/'), path
