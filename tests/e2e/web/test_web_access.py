"""Access to the page: login and logout, narrow windows, and what axe-core says of all views."""

import pytest
from playwright.sync_api import expect

from tests.e2e.web.conftest import OpenWindow
from tests.e2e.web.site import BUTTERFLY, Site
from tests.parts.daemon_process import DATA
from tests.parts.window import REFUSED

pytestmark = pytest.mark.e2e

PHONE = {"width": 320, "height": 640}


def test_login_and_logout(open_window: OpenWindow, site: Site) -> None:
    """Nothing without the token; the link opens the page, and logging out closes it."""
    window = open_window("/try", storage_state=None)
    window.allow(REFUSED.format(status=403))
    page = window.page
    expect(page).to_have_url(f"{site.address}/login")
    window.expect_accessible()
    page.get_by_label("Link or token").fill("0" * 64)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not the token")
    page.get_by_label("Link or token").fill(site.link)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.address}/")
    page.get_by_role("button", name="Log out").click()
    expect(page).to_have_url(f"{site.address}/login")
    page.goto("/")
    expect(page).to_have_url(f"{site.address}/login")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_at_every_width(open_window: OpenWindow, site: Site, scheme: str) -> None:
    """No view is wider than a phone, and axe-core finds no serious fault, in light and dark."""
    window = open_window(color_scheme=scheme, viewport=PHONE)
    page = window.page
    name = f"views_{scheme}.png"
    (site.root / name).write_bytes(BUTTERFLY.read_bytes())
    (site.inbox / f"views_bad_{scheme}.png").write_bytes(b"no picture")
    page.locator("input[type=file]").first.set_input_files([site.root / name])
    window.expect_state(name, "done")
    window.expect_state(f"views_bad_{scheme}.png", "failed")
    window.expect_fits()
    window.expect_accessible()
    window.row(name).get_by_role("link", name="Compare").click()
    expect(page.locator(".pane.right img")).to_be_visible()
    window.expect_fits()
    window.expect_accessible()
    page.goto("/try")
    page.locator("#picture").set_input_files(DATA / "butterfly_hr.png")
    expect(page.locator("#frame")).to_be_visible()
    window.expect_fits()
    window.expect_accessible()
