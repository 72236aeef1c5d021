"""Upload: what comes into the inbox, what is refused in which words, and what is left behind."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.parts.tiny_settings import SettingsFactory
from tests.parts.web_browser import browser
from zssr_daemon.settings.schema import Settings
from zssr_daemon.web.guard.bounds import Bounds

PNG = (Path(__file__).parents[2] / "data" / "butterfly_lr.png").read_bytes()
SHORT = {"limits": {"max_MB": 0.1}, "web": {"max_files": 3}}


@pytest.fixture
def settings(make_settings: SettingsFactory) -> Settings:
    """Return settings with small limits."""
    return make_settings(**SHORT)


@pytest.fixture
def client(settings: Settings) -> TestClient:
    """Return a browser that is logged in."""
    return browser(settings)


@pytest.fixture
def batch(client: TestClient) -> str:
    """Return a new batch."""
    return str(client.post("/batches", json={"preset": "fast"}).json()["batch"])


def files(settings: Settings) -> list[str]:
    """Return what lies in the inbox, hidden files too, but no profile."""
    inbox = settings.folders.inbox
    found = (path for path in inbox.rglob("*") if path.is_file() and path.name != "zssr.toml")
    return sorted(str(path.relative_to(inbox)) for path in found)


def test_file_comes_whole(client: TestClient, settings: Settings, batch: str) -> None:
    """The answer names its path; the folder and the file belong to the group too."""
    before = os.umask(0o077)
    try:
        answer = client.put(f"/batches/{batch}/files/a%20b.png", content=PNG)
    finally:
        os.umask(before)
    assert (answer.status_code, answer.json()) == (201, {"image": f"web/{batch}/a b.png"})
    assert files(settings) == [f"web/{batch}/a b.png"]
    file = settings.folders.inbox / answer.json()["image"]
    assert file.read_bytes() == PNG
    assert mode(file) == 0o660


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


def test_batch_is_a_folder_with_its_profile(client: TestClient, settings: Settings) -> None:
    """Whatever the umask is, the daemon, another user of the group, can move what is in it."""
    before = os.umask(0o077)
    try:
        batch = client.post("/batches", json={"preset": "fast"}).json()["batch"]
    finally:
        os.umask(before)
    web = settings.folders.inbox / "web"
    assert (mode(web), mode(web / batch)) == (0o2770, 0o2770)
    profile = web / batch / "zssr.toml"
    assert mode(profile) == 0o660
    assert profile.read_text() == '[zssr]\npreset = "fast"\n'


def test_folders_are_kept(client: TestClient, settings: Settings, batch: str) -> None:
    """Below the batch, as the header names them."""
    answer = client.put(
        f"/batches/{batch}/files/a.png", content=PNG, headers={"X-Rel-Dir": "holiday%2FS%C3%BCd"}
    )
    assert answer.json() == {"image": f"web/{batch}/holiday/Süd/a.png"}
    folder = settings.folders.inbox / "web" / batch / "holiday"
    assert (mode(folder), mode(folder / "Süd")) == (0o2770, 0o2770)


@pytest.mark.parametrize(
    "folder",
    ["..", "a/../../b", "/etc", "a//b", ".hidden", "a%00b", "a/", "%2e%2e", "@eaDir", "a%0ab",
     "x.toml", "%ff", "/".join("a" * 20), "a" * 201, "~$x"],
)  # fmt: skip
def test_folders_that_lead_elsewhere_are_refused(
    client: TestClient, settings: Settings, batch: str, folder: str
) -> None:
    """Above the batch, or where the daemon does not look."""
    refused = client.put(
        f"/batches/{batch}/files/a.png", content=PNG, headers={"X-Rel-Dir": folder}
    )
    assert refused.status_code == 400
    assert files(settings) == []


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("..%2fa.png", 400),
        ("%2e%2e%2fa.png", 400),
        ("x%2fa.png", 400),
        ("x/a.png", 400),
        ("a%00.png", 400),
        ("a%0a.png", 404),
        (".a.png", 400),
        ("%ff.png", 400),
        ("%E2%80%AE.png", 400),  # writing from the right hides an ending
        ("a" * 197 + ".png", 400),
        ("~$a.png", 400),
        ("secret.png", 400),  # [watch] ignore
        ("zssr.toml", 400),
        ("a.png.toml", 400),
        ("a.kernel.npy", 400),
        ("a.png.error.json", 400),
        ("a.png.part", 400),
        ("a.xmp", 415),
        ("a", 415),
        ("a.exe", 415),
        ("a.html", 415),
        ("a.svg", 415),
    ],
)
def test_names_are_looked_at(make_settings: SettingsFactory, name: str, status: int) -> None:
    """What is no name, what the daemon passes over, and what is no picture."""
    settings = make_settings(watch={"ignore": ("secret*",)})
    client = browser(settings)
    batch = client.post("/batches", json={}).json()["batch"]
    refused = client.put(f"/batches/{batch}/files/{name}", content=PNG)
    assert refused.status_code == status, refused.text
    assert files(settings) == []


def test_same_name_twice(client: TestClient, settings: Settings, batch: str) -> None:
    """The first stays as it is."""
    assert client.put(f"/batches/{batch}/files/a.png", content=PNG).status_code == 201
    refused = client.put(f"/batches/{batch}/files/a.png", content=PNG + b"x")
    assert refused.status_code == 409
    assert "the same name is already there" in refused.json()["error"]
    assert (settings.folders.inbox / "web" / batch / "a.png").read_bytes() == PNG


def test_name_taken_while_the_body_comes(
    client: TestClient, settings: Settings, batch: str
) -> None:
    """Nothing is overwritten then either, and no part stays."""
    final = settings.folders.inbox / "web" / batch / "a.png"

    def body() -> Iterator[bytes]:
        yield PNG
        final.write_bytes(b"another")

    assert client.put(f"/batches/{batch}/files/a.png", content=body()).status_code == 409
    assert final.read_bytes() == b"another"
    assert files(settings) == [f"web/{batch}/a.png"]


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
def test_too_large(client: TestClient, settings: Settings, batch: str, *, is_chunked: bool) -> None:
    """By its length before its body, or counted while it comes; the smaller limit counts."""
    body = PNG + bytes(100_000)
    content = iter([body[:50_000], body[50_000:]]) if is_chunked else body
    refused = client.put(f"/batches/{batch}/files/a.png", content=content)
    assert refused.status_code == 413
    assert "max_upload_bytes" in refused.json()["cure"]
    assert files(settings) == []


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello", "no picture"),
        (b"<html>" * 200, "no picture"),
        (b"8BPS\0\x01" + bytes(50), "Photoshop"),
        (b"IIII" + b"TwaR" + bytes(50), "camera raw"),
    ],
)
def test_no_picture(
    client: TestClient, settings: Settings, batch: str, content: bytes, word: str
) -> None:
    """By its first bytes; what is known is named."""
    refused = client.put(f"/batches/{batch}/files/a.png", content=content)
    assert refused.status_code == 415
    assert word in refused.json()["error"]
    assert files(settings) == []


def test_full_disk(make_settings: SettingsFactory) -> None:
    """The space that the daemon keeps free is kept free by the page too."""
    settings = make_settings(limits={"min_free_disk_bytes": 1 << 60})
    client = browser(settings)
    refused = client.post("/batches", json={})
    assert refused.status_code == 507
    assert "min_free_disk_bytes" in refused.json()["cure"]


def test_batch_holds_so_many_files(client: TestClient, batch: str) -> None:
    """A refused file counts, as it had its place; a new batch has room."""
    statuses = [
        client.put(f"/batches/{batch}/files/{n}.png", content=PNG).status_code for n in range(5)
    ]
    assert statuses == [201, 201, 201, 409, 409]


def test_files_of_a_batch_are_counted_after_a_restart(
    client: TestClient, settings: Settings, batch: str
) -> None:
    """By what lies there."""
    for n in range(3):
        client.put(f"/batches/{batch}/files/{n}.png", content=PNG)
    assert browser(settings).put(f"/batches/{batch}/files/x.png", content=PNG).status_code == 409


@pytest.mark.parametrize("batch", ["2026-01-01-00000000", "..", "web", "%2e%2e", "try-00000000"])
def test_unknown_batch(client: TestClient, settings: Settings, batch: str) -> None:
    """Nothing is made."""
    refused = client.put(f"/batches/{batch}/files/a.png", content=PNG)
    assert refused.status_code in {400, 404}
    assert files(settings) == []


def test_folder_that_is_a_link_is_none(client: TestClient, settings: Settings, batch: str) -> None:
    """Nothing is written through it."""
    elsewhere = settings.folders.state / "elsewhere"
    elsewhere.mkdir()
    (settings.folders.inbox / "web" / batch / "a").symlink_to(elsewhere)
    refused = client.put(f"/batches/{batch}/files/a.png", content=PNG, headers={"X-Rel-Dir": "a"})
    assert refused.status_code == 409
    assert list(elsewhere.iterdir()) == []


def test_too_many_uploads_at_once_are_sent_again(settings: Settings) -> None:
    """The browser waits and tries again."""
    client = browser(settings, bounds=Bounds(max_uploads=0))
    refused = client.put("/batches/2026-01-01-00000000/files/a.png", content=PNG)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "2")


def test_inbox_away(client: TestClient, settings: Settings) -> None:
    """A fault of the disk is no fault of the file."""
    settings.folders.inbox.rmdir()
    refused = client.post("/batches", json={})
    assert refused.status_code == 503
    assert "inbox" in refused.json()["error"]
