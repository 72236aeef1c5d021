"""What the scenarios share: the browser, the site, and windows whose consoles are watched."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, StorageState, expect, sync_playwright

from tests.e2e.web.site import Site
from tests.parts.daemon_process import WAIT_S
from tests.parts.tools import tool
from tests.parts.window import Window

OpenWindow = Callable[..., Window]

expect.set_options(timeout=WAIT_S * 1000)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the browser; a package's, since while it lives no other event loop can run here."""
    path = tool("chromium", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start a daemon and its page."""
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


@pytest.fixture(scope="package")
def session(browser: Browser, site: Site) -> StorageState:
    """Log in once, by the link."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(site.link)
    expect(page).to_have_url(f"{site.address}/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_window(browser: Browser, site: Site, session: StorageState) -> Iterator[OpenWindow]:
    """Return an opener of windows that are logged in; keywords are those of a browser's context."""
    windows: list[Window] = []

    def open_one(path: str = "/", **options: Any) -> Window:
        window = Window(browser, site.address, **{"storage_state": session} | options)
        windows.append(window)
        window.page.goto(path)
        return window

    yield open_one
    for window in windows:
        window.close()
