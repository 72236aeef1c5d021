"""The views of a job: parts of both pictures, result, report, and a batch as one file."""

import base64
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.parts.picture_files import samples
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.settings.schema import Settings
from zssr_daemon.web import views
from zssr_daemon.web.app import make_context
from zssr_daemon.web.daemon_link import DaemonLink
from zssr_daemon.web.guard.refusal import RefusedError, refused

ROW = {
    "id": "1",
    "state": "done",
    "disposal": "archive",
    "paths": {"src_rel": "web/b1/a.png", "out_rel": "web/b1/ä\n_x2.png", "disposal_rel": "a.png"},
}


@dataclass
class Jobs(DaemonLink):
    """A daemon that knows these jobs; how it is really asked, tests/web/test_feed.py shows."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def ask(self, **request: Any) -> dict[str, Any]:
        assert request["command"] == "job"
        row = self.rows.get(request["job_id"])
        return {"error": "no such job"} if row is None else {"job": row}


@pytest.fixture
def settings(make_settings: SettingsFactory) -> Settings:
    """Return settings with a job that is done: its source is archived, its result named oddly."""
    settings = make_settings()
    folders = settings.folders
    for folder in (folders.output / "web/b1", folders.archive):
        folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(samples(30, 40, 3)).save(folders.archive / "a.png")
    Image.fromarray(samples(60, 80, 3)).save(folders.output / ROW["paths"]["out_rel"])  # type: ignore[index]
    return settings


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """Return a browser at the views alone."""
    link = Jobs(rows={"1": ROW, "2": ROW | {"state": "queued"}, "3": ROW | {"disposal": "delete"}})
    context = make_context(settings, link)
    app = Starlette(routes=views.routes(context), exception_handlers={RefusedError: refused})
    yield TestClient(app)
    context.cutter.close()


def picture(content: bytes) -> Image.Image:
    """Decode what was sent."""
    return Image.open(io.BytesIO(content))


def test_both_sides_of_a_part(client: TestClient) -> None:
    """They have the same size; the result's is the result's own pixels."""
    result, source = (
        client.get("/jobs/1/crop", params={"side": side, "x": 8, "y": 4, "w": 16, "h": 20})
        for side in ("result", "source")
    )
    assert result.headers["content-type"] == source.headers["content-type"] == "image/png"
    assert picture(source.content).size == (16, 20)
    np.testing.assert_array_equal(picture(result.content), samples(60, 80, 3)[4:24, 8:24])


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("/jobs/1/crop?x=0&y=0&w=2000&h=10", 400, "1024"),
        ("/jobs/1/crop?x=-1&y=0&w=10&h=10", 400, "whole numbers"),
        ("/jobs/1/crop?x=900&y=0&w=10&h=10", 404, "outside"),
        ("/jobs/2/crop?x=0&y=0&w=10&h=10", 404, "queued"),
        ("/jobs/3/crop?x=0&y=0&w=10&h=10&side=source", 404, "deleted"),
        ("/jobs/4/result", 404, "no such job"),
        ("/jobs/1/report", 404, "no report"),
        ("/batches/b2.zip", 404, "no picture"),
        ("/batches/...zip", 404, "no picture"),
    ],
)
def test_what_is_not_there_is_told(
    client: TestClient, address: str, status: int, words: str
) -> None:
    """In words that the page can show."""
    answer = client.get(address)
    assert (answer.status_code, words in answer.json()["error"]) == (status, True)


def test_result_is_sent_byte_by_byte(client: TestClient, settings: Settings) -> None:
    """As a file to be saved under its own name, or as base64."""
    content = (settings.folders.output / "web/b1/ä\n_x2.png").read_bytes()
    answer = client.get("/jobs/1/result")
    assert answer.content == content
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"___x2.png\"; filename*=UTF-8''%C3%A4%0A_x2.png"
    )
    as_text = client.get("/jobs/1/result?encoding=base64")
    assert base64.b64decode(as_text.text, validate=True) == content
    assert as_text.headers["content-length"] == str(len(as_text.content))


def test_link_in_the_output_folder_is_not_followed(client: TestClient, settings: Settings) -> None:
    """Whatever somebody put there, nothing of another folder goes out."""
    path = settings.folders.output / "web/b1/ä\n_x2.png"
    path.unlink()
    path.symlink_to(settings.folders.archive / "a.png")
    assert client.get("/jobs/1/result").status_code == 404
    assert client.get("/jobs/1/crop?x=0&y=0&w=10&h=10").status_code == 404
    assert zipfile.ZipFile(io.BytesIO(client.get("/batches/b1.zip").content)).namelist() == []


def test_report_is_an_origin_of_its_own(client: TestClient, settings: Settings) -> None:
    """Its script reaches no cookie, and it fetches nothing."""
    (settings.folders.output / "web/b1/ä\n_x2.png.report.html").write_text("<p>report")
    answer = client.get("/jobs/1/report")
    assert answer.text == "<p>report"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'")


def test_batch_is_one_zip(client: TestClient, settings: Settings) -> None:
    """With its folders, and without parts."""
    folder = settings.folders.output / "web/b1"
    (folder / "sub").mkdir()
    (folder / "sub/b_x2.png").write_bytes(b"b" * 3_000_000)
    (folder / ("." + 32 * "0" + ".1.part")).write_bytes(b"half")
    archive = zipfile.ZipFile(io.BytesIO(client.get("/batches/b1.zip").content))
    assert archive.testzip() is None
    assert archive.namelist() == ["sub/b_x2.png", "ä\n_x2.png"]
    assert archive.read("sub/b_x2.png") == b"b" * 3_000_000
