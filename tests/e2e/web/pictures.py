"""Pictures of the page for the documentation: `python -m tests.e2e.web.pictures`.

A daemon with the settings that people have, in a folder of its own, and the real page.
"""

import io
import re
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.e2e.web.site import BUTTERFLY, Site
from tests.parts.daemon_process import DATA
from tests.parts.tools import tool

DOCS = Path(__file__).parents[3] / "docs"

MAX_BYTES = 150_000

SIZE: ViewportSize = {"width": 1200, "height": 860}

#: Whatever the clock of this machine, and its language.
OPTIONS: dict[str, Any] = {"timezone_id": "Europe/Vienna", "locale": "en-GB"}


def main() -> None:
    """Take both pictures anew."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = tool("chromium", package="chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        site = Site(Path(folder), zssr='preset = "fast"\n')
        try:
            context = browser.new_context(base_url=site.address, viewport=SIZE, **OPTIONS)
            page = context.new_page()
            page.goto(site.link)
            expect(page).to_have_url(f"{site.address}/")
            take_compared(site, page)
            take_queue(site, page)
        finally:
            browser.close()
            site.close()


def take_compared(site: Site, page: Page) -> None:
    """Show a result beside its source."""
    picture = site.root / "butterfly.png"
    picture.write_bytes(BUTTERFLY.read_bytes())
    page.locator("input[type=file]").first.set_input_files([picture])
    row = page.locator('[data-name="butterfly.png"]')
    expect(row).to_have_attribute("data-state", "done", timeout=300_000)
    row.get_by_role("link", name="Compare").click()
    page.get_by_label("2×").check()
    expect(page.locator(".pane.right img")).to_be_visible()
    save(page, DOCS / "web_compare.png")
    page.goto("/")


def take_queue(site: Site, page: Page) -> None:
    """Show pictures in every state: done, running, queued and failed."""
    source = Image.open(DATA / "butterfly_hr.png")
    paths = []
    for number in range(1, 9):
        paths.append(site.root / f"wing_{number:02}.png")
        left, top = divmod(number * 13, 5)
        source.crop((left, top * 8, left + 120, top * 8 + 120)).save(paths[-1])
    (site.root / "broken.png").write_bytes(BUTTERFLY.read_bytes()[:9000])
    page.locator("input[type=file]").first.set_input_files([*paths, site.root / "broken.png"])
    failed = page.locator('[data-state="failed"]')
    expect(failed).to_have_count(1, timeout=300_000)
    expect(page.locator('[data-state="done"]')).to_have_count(3, timeout=300_000)
    bar = page.locator('[data-state="running"] progress')
    expect(bar).to_have_attribute("aria-label", re.compile("[4-7][0-9] %"), timeout=300_000)
    save(page, DOCS / "web_queue.png")


def save(page: Page, path: Path) -> None:
    """Write what is shown with few colours, as small as a document needs it."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < MAX_BYTES


if __name__ == "__main__":
    main()
