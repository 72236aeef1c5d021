"""Uploads in a real browser: by dropping and choosing, refused, broken off, and none half done."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.web.conftest import OpenWindow
from tests.e2e.web.site import BUTTERFLY, MAX_UPLOAD_BYTES, Site
from tests.parts.daemon_process import files, wait_until
from tests.parts.window import AWAY, REFUSED

pytestmark = pytest.mark.e2e

#: So slow that a scenario has time to break an upload off.
SLOW_BYTES_PER_S = 100_000


def picture(folder: Path, name: str) -> Path:
    """Put a picture that is enlarged in a moment into a folder, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(BUTTERFLY, folder / name))


def large_picture(folder: Path, name: str) -> Path:
    """Return the path of a picture that takes a while to upload: comments follow its end."""
    path = picture(folder, name)
    with path.open("ab") as file:
        file.write(bytes(MAX_UPLOAD_BYTES - 100_000))
    return path


def halves(site: Site) -> list[str]:
    """Return the files of the inbox that are no whole pictures or profiles."""
    return [name for name in files(site.inbox / "web") if name.endswith(".part")]


def test_three_files_and_a_folder_are_dropped(
    open_window: OpenWindow, site: Site, tmp_path: Path
) -> None:
    """Each gets a row, is done, and its result lies where its folder is mirrored."""
    window = open_window()
    names = ["drop_a.png", "drop_b.png", "drop_c.png"]
    paths = [picture(tmp_path, name) for name in names]
    picture(tmp_path / "album" / "spring", "drop_d.png")
    (tmp_path / "album" / ".hidden").write_text("systems write such files")
    window.drop(*paths, tmp_path / "album")
    for name in [*names, "drop_d.png"]:
        window.expect_state(name, "done")
    results = [name.partition("/")[2] for name in files(site.root / "output" / "web")]
    wanted = {"drop_a_x2.png", "drop_b_x2.png", "drop_c_x2.png", "album/spring/drop_d_x2.png"}
    assert wanted <= set(results)
    assert not window.row(".hidden").count()


def test_refusals_in_words(open_window: OpenWindow, site: Site, tmp_path: Path) -> None:
    """Too large, no picture by name, no picture by content, and a name that is there already."""
    window = open_window()
    window.allow(REFUSED.format(status=415))
    large = tmp_path / "refused_large.png"
    large.write_bytes(bytes(MAX_UPLOAD_BYTES + 1))
    (tmp_path / "refused_text.txt").write_text("no picture")
    (tmp_path / "refused_fake.png").write_text("no picture")
    choose = window.page.locator("input[type=file]").first
    choose.set_input_files([large, tmp_path / "refused_text.txt", tmp_path / "refused_fake.png"])
    for name, words in {
        "refused_large.png": "too large",
        "refused_text.txt": "no picture",
        "refused_fake.png": "no picture",
    }.items():
        window.expect_state(name, "refused")
        expect(window.row(name)).to_contain_text(words)
    window.slow_down(SLOW_BYTES_PER_S)
    choose.set_input_files([large_picture(tmp_path, "refused_twin.png")])
    window.expect_state("refused_twin.png", "uploading")
    choose.set_input_files([tmp_path / "refused_twin.png"])
    second = window.row("refused_twin.png").nth(1)
    expect(second).to_have_attribute("data-state", "refused")
    expect(second).to_contain_text("same name is already there")
    window.row("refused_twin.png").first.get_by_role("button", name="Cancel").click()
    expect(window.row("refused_twin.png").first).to_have_attribute("data-state", "cancelled")
    window.page.get_by_role("button", name="Dismiss refused").click()
    expect(window.page.locator("[data-name^=refused]")).to_have_count(0)
    wait_until(lambda: not halves(site), "the part of the cancelled upload to go")


def test_reload_amid_an_upload(open_window: OpenWindow, site: Site, tmp_path: Path) -> None:
    """What has arrived is shown again, and what has not leaves nothing half in the inbox."""
    window = open_window()
    choose = window.page.locator("input[type=file]").first
    choose.set_input_files([picture(tmp_path, "reload_small.png")])
    window.expect_state("reload_small.png", "done")
    window.slow_down(SLOW_BYTES_PER_S)
    choose.set_input_files([large_picture(tmp_path, "reload_large.png")])
    wait_until(lambda: bool(halves(site)), "the upload to begin")
    window.page.reload()
    window.expect_state("reload_small.png", "done")
    expect(window.row("reload_large.png")).to_have_count(0)
    wait_until(lambda: not halves(site), "the half upload to go")


def test_the_page_is_killed_amid_an_upload(
    open_window: OpenWindow, site: Site, tmp_path: Path
) -> None:
    """The row says so, nothing half is taken for a picture, and the file can be sent again."""
    window = open_window()
    window.allow(AWAY)
    choose = window.page.locator("input[type=file]").first
    window.slow_down(SLOW_BYTES_PER_S)
    choose.set_input_files([large_picture(tmp_path, "killed.png")])
    wait_until(lambda: bool(halves(site)), "the upload to begin")
    site.kill_page()
    window.expect_state("killed.png", "refused")
    expect(window.row("killed.png")).to_contain_text("does not answer")
    expect(window.page.get_by_role("alert")).to_contain_text("server is away")
    site.start_page()  # it listens first, so that no other page can be at work, and cleans up then
    wait_until(lambda: not halves(site), "the half upload to go")
    assert not [name for name in files(site.inbox) if name.endswith("killed.png")]
    window.slow_down(0)
    window.row("killed.png").get_by_role("button", name=re.compile("Send again")).click()
    window.expect_state("killed.png", "done")
