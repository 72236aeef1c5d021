"""The queue in a real browser: progress, retry, cancel, and a daemon that goes and comes back."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from tests.e2e.web.conftest import OpenWindow
from tests.e2e.web.site import BUTTERFLY, Site
from tests.parts.daemon_process import files, wait_until

pytestmark = pytest.mark.e2e


def test_progress_to_done(open_window: OpenWindow, site: Site) -> None:
    """Stage, bar, time and the loss curve while it runs; then it is done, with a link."""
    window = open_window()
    site.put("progress.png", num_epochs=2000)
    window.expect_state("progress.png", "running")
    row = window.row("progress.png")
    expect(row).to_contain_text("fit ")
    expect(row).to_contain_text("elapsed")
    expect(row.get_by_role("progressbar")).to_be_visible()
    expect(row.locator("polyline")).to_have_attribute("points", re.compile(r"[\d.]+,[\d.]+ "))
    window.expect_state("progress.png", "done")
    expect(row.get_by_role("link", name="Compare")).to_be_visible()


def test_cancel_and_bring_back(open_window: OpenWindow, site: Site) -> None:
    """What waits is cancelled one by one or all at once, after a question; retry brings it back."""
    window = open_window()
    site.put("cancel_first.png", num_epochs=1_000_000)
    window.expect_state("cancel_first.png", "running")
    names = ["cancel_a.png", "cancel_b.png", "cancel_c.png"]
    choose = window.page.locator("input[type=file]").first
    for name in names:
        shutil.copy(BUTTERFLY, site.root / name)
    choose.set_input_files([site.root / name for name in names])
    for name in names:
        window.expect_state(name, "queued")
    window.row("cancel_a.png").get_by_role("button", name="Cancel").click()
    window.expect_state("cancel_a.png", "cancelled")
    window.page.get_by_role("button", name="Cancel all queued").click()
    dialog = window.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Keep them").click()
    expect(dialog).to_have_count(0)
    window.page.get_by_role("button", name="Cancel all queued").click()
    dialog.get_by_role("button", name="Cancel all 2").click()
    for name in names:
        window.expect_state(name, "cancelled")
    window.row("cancel_first.png").get_by_role("button", name="Cancel").click()
    window.expect_state("cancel_first.png", "cancelled")
    assert "long/cancel_first.png" in files(site.root / "failed")
    for name in names:
        window.row(name).get_by_role("button", name="Retry").click()
        window.expect_state(name, "done")


def test_retry_and_retry_all(open_window: OpenWindow, site: Site) -> None:
    """A failed picture tells reason and cure; mended, it is done after a retry."""
    window = open_window()
    names = ["retry_a.png", "retry_b.png", "retry_c.png"]
    for name in names:
        (site.inbox / name).write_bytes(BUTTERFLY.read_bytes()[:2000])
    for name in names:
        window.expect_state(name, "failed")
        expect(window.row(name).locator(".reason")).not_to_be_empty()
        expect(window.row(name).locator(".cure")).not_to_be_empty()
        shutil.copy(BUTTERFLY, site.root / "failed" / name)
    window.row("retry_a.png").get_by_role("button", name="Retry").click()
    window.expect_state("retry_a.png", "done")
    window.page.get_by_role("button", name="Retry all failed").click()
    for name in names:
        window.expect_state(name, "done")


def test_the_daemon_is_killed_and_back(open_window: OpenWindow, site: Site) -> None:
    """The page says that it is away; uploads wait; and the same stream shows their end."""
    window = open_window()
    expect(window.page.locator("#number-queued")).to_have_text("0")
    site.kill_daemon()
    expect(window.page.get_by_role("alert")).to_contain_text("daemon is not running")
    shutil.copy(BUTTERFLY, site.root / "meanwhile.png")
    window.page.locator("input[type=file]").first.set_input_files([site.root / "meanwhile.png"])
    window.expect_state("meanwhile.png", "settling")
    site.start_daemon()
    window.expect_state("meanwhile.png", "done")
    expect(window.page.get_by_role("alert")).to_have_count(0)
    wait_until(lambda: "meanwhile.png" in str(files(site.root / "archive")), "the archive")


def test_long_lists(open_window: OpenWindow, site: Site) -> None:
    """A view shows the first fifty of a list, and the others when they are asked for."""
    window = open_window()
    names = [f"long_{number:02}.png" for number in range(60)]
    for name in names:
        (site.inbox / name).write_bytes(b"no picture")
    more = window.page.locator("#failed .more")
    expect(more).to_have_text(re.compile(r"50 of (6\d|7\d)"))
    expect(window.page.locator("#failed .row")).to_have_count(50)
    more.click()
    expect(more).to_be_hidden()
    for name in names:
        expect(window.row(name)).to_have_count(1)
