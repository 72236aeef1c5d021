"""Results in a real browser: compared by the slider, with one another, fetched; a part ×8."""

import base64
import io
import re
import shutil
import zipfile
from urllib.parse import urlparse

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.e2e.web.conftest import OpenWindow
from tests.e2e.web.site import BUTTERFLY, Site
from tests.parts.daemon_process import DATA

pytestmark = pytest.mark.e2e


def test_slider_and_downloads(open_window: OpenWindow, site: Site) -> None:
    """Slider and view are moved by keys and pointer; result, base64, report and zip are fetched."""
    window = open_window()
    shutil.copy(BUTTERFLY, site.root / "slider.png")
    window.page.get_by_label("Write a report for each").check()
    window.page.locator("input[type=file]").first.set_input_files([site.root / "slider.png"])
    window.expect_state("slider.png", "done")
    window.row("slider.png").get_by_role("link", name="Compare").click()
    page = window.page
    for pane in ("left", "right"):
        expect(page.locator(f".pane.{pane} img")).to_be_visible()
    slider = page.get_by_label("Slider", exact=True).last
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".pane.right")).to_have_attribute("style", re.compile(r"inset\(.* 45%\)"))
    page.get_by_label("4×").check()
    place = page.locator("output.place")
    before = place.text_content()
    page.get_by_role("group", name="Compared part").focus()
    page.keyboard.press("ArrowRight")
    expect(place).not_to_have_text(str(before))
    drag(page, from_fraction=0.45, to_fraction=0.2)
    expect(page.locator(".pane.right")).to_have_attribute("style", re.compile(r"inset\(.* 20%\)"))
    before = place.text_content()
    drag(page, from_fraction=0.6, to_fraction=0.8)
    expect(place).not_to_have_text(str(before))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    result = download.value.path().read_bytes()
    with Image.open(BUTTERFLY) as source, Image.open(io.BytesIO(result)) as enlarged:
        assert enlarged.size == (2 * source.width, 2 * source.height)
    job = urlparse(page.url).path
    text = page.request.get(f"{job}/result?encoding=base64").body()
    assert base64.b64decode(text) == result
    report = page.get_by_role("link", name="Report").get_attribute("href")
    assert "Loss of the fit" in page.request.get(str(report)).text()
    batch = page.get_by_role("link", name="Whole batch (zip)").get_attribute("href")
    with zipfile.ZipFile(io.BytesIO(page.request.get(str(batch)).body())) as archive:
        assert result in [archive.read(name) for name in archive.namelist()]


def drag(page: Page, from_fraction: float, to_fraction: float) -> None:
    """Drag from one place of the compared part to another, in fractions of its width."""
    box = page.locator(".compare").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + from_fraction * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + to_fraction * box["width"], middle, steps=3)
    page.mouse.up()


def test_two_presets_compared(open_window: OpenWindow, site: Site) -> None:
    """One picture is sent with two presets, and both results are shown side by side."""
    window = open_window()
    page = window.page
    shutil.copy(BUTTERFLY, site.root / "presets.png")
    page.get_by_role("combobox", name="Preset", exact=True).select_option("instant")
    page.get_by_role("combobox", name="And once more with").select_option("fast")
    page.locator("input[type=file]").first.set_input_files([site.root / "presets.png"])
    done = page.locator('[data-name="presets.png"][data-state="done"]')
    expect(done).to_have_count(2)
    expect(done.filter(has_text="instant")).to_have_count(1)
    done.filter(has_text="fast").get_by_role("link", name="Compare").click()
    page.get_by_role("combobox", name="Result of the same picture").select_option(index=1)
    expect(page).to_have_url(re.compile(r"\?beside="))
    for pane, preset in {"left": "fast", "right": "instant"}.items():
        expect(page.locator(f".pane.{pane} img")).to_be_visible()
        expect(page.locator(f".pane.{pane} .tag")).to_contain_text(preset)
    expect(page.get_by_label("Side by side")).to_be_checked()


def test_a_part_enlarged_eight_times(open_window: OpenWindow) -> None:
    """A part is framed by keys and by chance, sent, and its result stands beside bicubic."""
    window = open_window("/try")
    page = window.page
    page.locator("#picture").set_input_files(DATA / "butterfly_hr.png")
    frame = page.locator("#frame")
    page.get_by_role("button", name="Random part").click()
    page.get_by_label("Side").fill("48")
    expect(frame).to_have_attribute("aria-label", re.compile("Part of 48 pixels"))
    frame.focus()
    for _ in range(30):
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Shift+ArrowUp")
    expect(frame).to_have_attribute("aria-label", "Part of 48 pixels at 0, 0")
    page.get_by_role("button", name="Enlarge ×8").click()
    for pane in ("left", "right"):
        expect(page.locator(f".pane.{pane} img")).to_be_visible()
    expect(page.locator(".pane.left .tag")).to_have_text("bicubic")
    expect(page.locator("output.place")).to_contain_text("of 384 × 384 pixels")
