"""Upscale: the order is the daemon's, no file is overwritten, and no result is enlarged again."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.parts.daemon_parts import drop, files_in
from tests.parts.picture_files import smooth_picture
from tests.parts.tiny_settings import SettingsFactory
from zssr_daemon.cli import upscale
from zssr_daemon.cli.image_inputs import image_inputs
from zssr_daemon.cli.output_place import OutputPlaces
from zssr_daemon.cli.own_results import is_own_result
from zssr_daemon.cli.upscale import Upscaled
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.protocol.messages import WorkOrder
from zssr_daemon.settings.image_settings import Resolver
from zssr_daemon.settings.schema import Settings

Upscale = Callable[..., list[Upscaled]]


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the enlarger out: what is tested ends before any work."""
    monkeypatch.setattr(upscale, "Enlarger", lambda *_: None)


def results(
    named: list[Path], settings: Settings, output: Path | None = None, **over: dict[str, Any]
) -> list[Upscaled]:
    """Upscale what is named."""
    inputs = image_inputs([str(path) for path in named], settings.watch)
    return list(upscale.upscale_all(inputs, output, settings, over, lambda *_: None))


def refusal(image: Path, settings: Settings) -> str:
    """Return why an image is not upscaled."""
    (result,) = results([image], settings)
    assert not result.is_good
    return result.told


def order_of(image: Path, settings: Settings) -> WorkOrder:
    """Return the order for an image, to be written beside it."""
    (found,) = image_inputs([str(image)], settings.watch)
    own = Resolver(settings, found.root).resolve(found.rel)
    place = OutputPlaces(None, settings.limits, is_folder=False).place_for(found, own)
    part = image.with_name(f".{'0' * 32}.1.part")
    return upscale._order(found, own, place, part, settings.limits)


def test_report_is_ordered(make_settings: SettingsFactory, tmp_path: Path) -> None:
    """`[output] report` counts here as it counts in the daemon."""
    image = drop(tmp_path)
    assert order_of(image, make_settings()).report_path is None
    report_path = order_of(image, make_settings(output={"report": True})).report_path
    assert report_path is not None
    assert Path(report_path).suffix == REPORT


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("name", ["a_x2.png", "a_x2.png.report.html"])
def test_taken_name_is_refused_before_any_work(
    make_settings: SettingsFactory, tmp_path: Path, name: str
) -> None:
    """Neither an output nor a report replaces a file; nobody waits for a fit to learn that."""
    image = drop(tmp_path)
    (tmp_path / name).write_text("the user's")
    told = refusal(image, make_settings(output={"report": True}))
    assert told == f"output_exists: {tmp_path / name} exists already; give another -o"
    assert (tmp_path / name).read_text() == "the user's"


@pytest.mark.usefixtures("no_work")
def test_missing_image_is_told(settings: Settings, tmp_path: Path) -> None:
    """The message says so in words, and names the file."""
    told = refusal(tmp_path / "gone.png", settings)
    assert told == f"No such file or folder: {tmp_path / 'gone.png'}"


@pytest.mark.usefixtures("no_work")
def test_errors_of_the_system_are_told_in_words(settings: Settings, tmp_path: Path) -> None:
    """Without numbers: what is wrong, and with which file."""
    image = drop(tmp_path)
    (tmp_path / "file").touch()
    (result,) = results([image], settings, tmp_path / "file" / "deep" / "out.png")
    assert "Errno" not in result.told
    assert result.told.startswith("Not a directory: ")


def test_two_of_a_stem_have_names_of_their_own(settings: Settings, tmp_path: Path) -> None:
    """The second finds a free one, among those that were there before too."""
    images = [drop(tmp_path, name) for name in ("a.png", "a.PNG", "a.jpg")]
    (tmp_path / "a_x2-2.png").write_text("the user's")
    done = results(images, settings)
    assert [each.is_good for each in done] == [True] * 3
    names = ["a_x2.png", "a_x2-3.png", "a_x2-4.png"]
    assert [Path(each.told.split(" in ")[0]).name for each in done] == names
    assert (tmp_path / "a_x2-2.png").read_text() == "the user's"


@pytest.mark.parametrize("setting", ["png", "tiff", "jpeg", "webp"])
def test_own_results_are_passed_over(
    make_settings: SettingsFactory, tmp_path: Path, setting: str
) -> None:
    """The second time a pattern of the shell, or a folder, finds them too; one alone is meant."""
    settings = make_settings(output={"format": setting, "name": "{stem}-{scale}"})
    image = tmp_path / "a.png"
    exif = Image.Exif()
    exif[305] = "A Camera"
    smooth_picture(12, 10).save(image, exif=exif)
    assert results([image], settings)[0].is_good
    (result,) = [path for path in tmp_path.iterdir() if path.stem == "a-2"]
    assert is_own_result(result)
    assert not is_own_result(image)
    for named in ([image, result], [tmp_path]):
        first, second = sorted(results(named, settings), key=lambda each: len(each.image))
        assert first.told.startswith("output_exists: ")
        assert second.is_good
        assert second.told.startswith("passed over, for it is an output of this program")
    assert files_in(tmp_path) == sorted(["a.png", result.name])
    assert results([result], settings)[0].is_good


def test_what_is_no_image_is_no_own_result(tmp_path: Path) -> None:
    """Nor is a fifo, which nobody waits for."""
    (tmp_path / "a.png").write_text("zssr_daemon ")
    os.mkfifo(tmp_path / "fifo.png")
    names = ("a.png", "fifo.png", "gone.png")
    assert [is_own_result(tmp_path / name) for name in names] == [False] * 3


@pytest.mark.parametrize("has_output", [False, True])
def test_folders_are_walked(settings: Settings, tmp_path: Path, has_output: bool) -> None:
    """As the inbox is: temporary files are passed over, profiles count, sub-folders mirrored."""
    photos = tmp_path / "photos"
    for name in ("a.png", "sub/b.png", "sub/c.png", "sub/c.png.part", "@eaDir/d.png"):
        drop(photos, name)
    (photos / "zssr.toml").write_text("[zssr]\nscale_factor = 3.0")
    (photos / "sub" / "c.toml").write_text('[output]\nformat = "webp"')
    (photos / "notes.txt").write_text("no image")
    (photos / "link.png").symlink_to(drop(tmp_path, "elsewhere.png"))
    before = set(files_in(photos))
    done = results([photos], settings, tmp_path / "out" if has_output else None)
    assert [each.image for each in done if not each.is_good] == [str(photos / "link.png")]
    outputs = ["a_x3.png", "sub/b_x3.png", "sub/c_x3.webp"]
    if has_output:
        assert files_in(tmp_path / "out") == outputs
    assert set(files_in(photos)) == before | set([] if has_output else outputs)


def test_command_line_counts_more_than_profiles(settings: Settings, tmp_path: Path) -> None:
    """Key by key; a size has its factor in the name."""
    image = drop(tmp_path)
    (tmp_path / "a.toml").write_text('[zssr]\nscale_factor = 3.0\n[output]\nformat = "webp"')
    (done,) = results([image], settings, zssr={"target": "31x31"})
    assert done.is_good
    with Image.open(tmp_path / "a_x2.58.webp") as picture:
        assert picture.size == (31, 26)


@pytest.mark.usefixtures("no_work")
def test_size_that_needs_an_impossible_factor(settings: Settings, tmp_path: Path) -> None:
    """The factor is told."""
    sized = settings.model_copy(update={"zssr": replace(settings.zssr, target="long:10")})
    told = refusal(drop(tmp_path), sized)
    assert told.startswith("bad_settings: [zssr] target = 'long:10': a source of 12 x 10 pixels")
