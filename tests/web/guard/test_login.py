"""Login: a token for a cookie, and what ends it."""

import time

import pytest
from starlette.testclient import TestClient

from tests.parts.tiny_settings import SettingsFactory
from tests.parts.web_browser import TOKEN, browser
from zssr_daemon.protocol.web_token import TOKEN_NAME
from zssr_daemon.web.guard.sessions import SESSION_S, Sessions


def test_cookie_is_out_of_reach_of_scripts_and_other_sites(make_settings: SettingsFactory) -> None:
    """HttpOnly and SameSite=Strict always, Secure with TLS."""
    client = browser(make_settings(), is_logged_in=False)
    given = client.post("/login", json={"token": TOKEN}).headers["set-cookie"]
    assert "HttpOnly" in given
    assert "SameSite=strict" in given
    assert "Secure" not in given
    over_tls = {"Origin": "https://localhost"}
    given = client.post("/login", json={"token": TOKEN}, headers=over_tls).headers["set-cookie"]
    assert "Secure" in given


@pytest.mark.parametrize("token", ["", TOKEN[:-1], TOKEN.upper(), "ü", None, 7, [TOKEN]])
def test_wrong_token_is_refused(make_settings: SettingsFactory, token: object) -> None:
    """Whatever it is, and no cookie comes with the refusal."""
    client = browser(make_settings(), is_logged_in=False)
    refused = client.post("/login", json={"token": token})
    assert (refused.status_code, len(refused.cookies)) == (403, 0)
    assert "web link" in refused.json()["cure"]


def test_token_may_be_pasted_with_blanks(make_settings: SettingsFactory) -> None:
    """As a terminal copies it."""
    client = browser(make_settings(), is_logged_in=False)
    assert client.post("/login", json={"token": f" {TOKEN}\n"}).status_code == 204


def test_restart_keeps_a_session(make_settings: SettingsFactory) -> None:
    """The cookie is signed, not remembered."""
    settings = make_settings()
    cookies = dict(browser(settings).cookies)
    after = browser(settings, is_logged_in=False)
    after.cookies.update(cookies)
    assert after.get("/").status_code == 200


def test_new_token_ends_all_sessions(make_settings: SettingsFactory) -> None:
    """At once: it is read with every request."""
    settings = make_settings()
    client = browser(settings)
    (settings.folders.state / TOKEN_NAME).write_text("f" * 64)
    assert client.get("/").status_code == 401
    (settings.folders.state / TOKEN_NAME).unlink()
    assert client.get("/").status_code == 401


def test_logout_takes_the_cookie_away(make_settings: SettingsFactory) -> None:
    """From this browser."""
    client = browser(make_settings())
    assert client.post("/logout").status_code == 204
    assert client.get("/").status_code == 401


def test_wrong_tokens_are_limited_and_the_right_one_is_not(make_settings: SettingsFactory) -> None:
    """So that nobody can lock others out."""
    client = browser(make_settings(), is_logged_in=False)
    statuses = [client.post("/login", json={"token": "x"}).status_code for _ in range(12)]
    assert statuses == [403] * 9 + [429] * 3
    assert client.post("/login", json={"token": TOKEN}).status_code == 204


def test_without_a_daemon_there_is_no_token(make_settings: SettingsFactory) -> None:
    """The refusal says who makes it."""
    settings = make_settings()
    client = browser(settings, is_logged_in=False)
    (settings.folders.state / TOKEN_NAME).unlink()
    refused = client.post("/login", json={"token": TOKEN})
    assert refused.status_code == 503
    assert "zssr-daemon run" in refused.json()["error"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"token":' + b"[" * 20_000, b"\xff"])
def test_odd_bodies_are_refused(make_settings: SettingsFactory, body: bytes) -> None:
    """As a fault of the caller, not of ours."""
    client: TestClient = browser(make_settings(), is_logged_in=False)
    assert client.post("/login", content=body).status_code in {400, 403}


def test_large_body_is_refused(make_settings: SettingsFactory) -> None:
    """Before it is whole."""
    client = browser(make_settings(), is_logged_in=False)
    assert client.post("/login", content=b"x" * 70_000).status_code == 413


def test_session_ends_by_itself(make_settings: SettingsFactory) -> None:
    """After a month; and none is open before it was begun, nor with another's signature."""
    settings = make_settings()
    state = settings.folders.state
    (state / TOKEN_NAME).write_text(TOKEN)
    now = time.time()
    cookie = Sessions(state, lambda: now).begin(TOKEN)
    assert cookie is not None
    assert Sessions(state, lambda: now + SESSION_S - 1).is_open(cookie)
    assert not Sessions(state, lambda: now + SESSION_S + 1).is_open(cookie)
    assert not Sessions(state, lambda: now - 60).is_open(cookie)
    since, _, signature = cookie.partition(".")
    others = (f"{int(since) + 1}.{signature}", f"{since}.{'0' * 64}", f"{since}.", since, "", "².")
    for forged in others:
        assert not Sessions(state, lambda: now).is_open(forged), forged
