"""Api: what browsers ask is handed on to the daemon, and its answers come back in words."""

from typing import Any

import pytest

from tests.parts.tiny_settings import SettingsFactory
from tests.parts.web_browser import ScriptedDaemon, browser

ID = "0123456789abcdef" * 2


def row(number: int, **keys: Any) -> dict[str, Any]:
    """Return a row of a job."""
    plain = {"id": f"{number:032x}", "image": f"{number}.png", "reason": None, "disposal": None}
    return plain | keys


def test_jobs_are_listed_with_their_reasons_in_words(make_settings: SettingsFactory) -> None:
    """The daemon gets what was asked, and never more than a hundred rows are asked for."""
    daemon = ScriptedDaemon(lambda _: {"jobs": [row(1, reason="corrupt")], "next": "c"})
    client = browser(make_settings(), daemon)
    reply = client.get("/api/jobs?state=failed&below=web/b&after=x&limit=5000").json()
    asked = {"state": "failed", "below": "web/b", "after": "x", "limit": 100}
    assert daemon.asked == [{"command": "jobs"} | asked]
    assert reply["next"] == "c"
    assert reply["jobs"][0]["reason_text"] == "The file is damaged."
    assert client.get("/api/jobs?limit=x").status_code == 400


@pytest.mark.parametrize("path", ["/api/jobs/1", "/api/jobs/..%2f1", f"/api/jobs/{ID}0"])
def test_only_whole_ids_are_asked_for(make_settings: SettingsFactory, path: str) -> None:
    """The daemon is not troubled with others."""
    daemon = ScriptedDaemon(lambda _: {})
    assert browser(make_settings(), daemon).get(path).status_code in {400, 404}
    assert daemon.asked == []


def test_refusals_of_the_daemon_come_back(make_settings: SettingsFactory) -> None:
    """In its words; one that is away is another thing."""
    daemon = ScriptedDaemon(lambda _: {"error": "it is done already"})
    client = browser(make_settings(), daemon)
    refused = client.post(f"/api/jobs/{ID}/cancel")
    assert (refused.status_code, refused.json()["error"]) == (409, "it is done already")
    assert client.get(f"/api/jobs/{ID}").status_code == 404
    daemon.answer = None
    away = client.post(f"/api/jobs/{ID}/retry")
    assert (away.status_code, away.json()["cure"]) == (503, "start it: zssr-daemon run")


@pytest.mark.parametrize(
    ("path", "state", "command"),
    [("/api/retry-failed", "failed", "retry"), ("/api/cancel-queued", "queued", "cancel")],
)
def test_all_of_a_state(
    make_settings: SettingsFactory, path: str, state: str, command: str
) -> None:
    """Over all pages, one refusal does not keep the others; files that are gone are left out."""
    pages: dict[str | None, dict[str, Any]] = {
        None: {"jobs": [row(1, disposal="failed"), row(2, disposal="keep")], "next": "2"},
        "2": {"jobs": [row(3, disposal="failed"), row(4, disposal="gone")], "next": None},
    }

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        if request["command"] == "jobs":
            assert (request["state"], request["below"]) == (state, "web/b")
            return pages[request["after"]]
        assert request["command"] == command
        return {"error": "no"} if request["job_id"].endswith("3") else {"image": "x"}

    reply = browser(make_settings(), ScriptedDaemon(answer)).post(path, json={"below": "web/b"})
    done = 2 if state == "failed" else 3
    assert reply.json() == {
        "done": done,
        "errors": [{"id": f"{3:032x}", "image": "3.png", "error": "no"}],
    }


@pytest.mark.parametrize(("body", "retried"), [({}, [1]), ({"cancelled": True}, [2])])
def test_failed_and_cancelled_jobs_are_retried_apart(
    make_settings: SettingsFactory, body: dict[str, Any], retried: list[int]
) -> None:
    """Whoever retries what failed does not bring back what was stopped on purpose."""
    rows = [
        row(1, disposal="failed", reason="corrupt"),
        row(2, disposal="failed", reason="cancelled"),
    ]

    def answer(request: dict[str, Any]) -> dict[str, Any]:
        return {"jobs": rows, "next": None} if request["command"] == "jobs" else {"image": "x"}

    daemon = ScriptedDaemon(answer)
    assert browser(make_settings(), daemon).post("/api/retry-failed", json=body).json()["done"] == 1
    asked = [request["job_id"] for request in daemon.asked if request["command"] == "retry"]
    assert asked == [f"{number:032x}" for number in retried]
