"""Images of every kind through the real daemon: faithful, or refused with a reason."""

import json
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image

from tests.parts.daemon_process import QUICK_ZSSR, DaemonProcess, command, files, lines, prepare
from tests.parts.hostile_files import FILE_REASONS, hostile_contents, make_special_files
from zssr_daemon.folders.markers import MARKER_NAME

pytestmark = pytest.mark.e2e

#: One in so many files of the corpus; test_hostile.py sends all of it through the gate.
EVERY = 7

ENDS = ("job_done", "job_failed")

#: A folder named like a picture, and a link to one: they stay where they are.
FOLDERS = {"folder.png", "linked-folder"}

MIN_ZSSR = QUICK_ZSSR.replace("num_epochs = 20", "num_epochs = 2")

SMALL = """
[limits]
max_input_pixels = 100000
"""


def test_hostile_files_harm_no_other(tmp_path: Path) -> None:
    """Each fails with a reason or is done with a valid output; good ones among them are done."""
    inbox = prepare(tmp_path, zssr=MIN_ZSSR, is_auto=True)
    settings = tmp_path / "settings.toml"
    settings.write_text(settings.read_text().replace("[limits]", SMALL.strip()))
    names = []
    for number, (name, content) in enumerate(hostile_contents()):
        if number % EVERY == 0:
            (inbox / name).write_bytes(content)
            names.append(name)
    secret = tmp_path / "outside" / "secret.png"
    secret.parent.mkdir()
    Image.new("RGB", (4, 4)).save(secret)
    special = make_special_files(inbox, secret)
    goods = [f"good-{number}.png" for number in range(5)]
    for number, name in enumerate(goods):
        Image.new("RGB", (4, 4 + number)).save(inbox / name)
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
    ends = {line["image"]: line for line in lines(tmp_path) if line["event"] in ENDS}
    assert len(names) > 50
    unsafe = {name for name in special if name.split("/")[0] not in FOLDERS}
    assert set(ends) == {*names, *goods, *unsafe}
    assert {ends[name]["reason"] for name in unsafe} == {"unsafe_file"}
    assert all(ends[name]["event"] == "job_done" for name in goods)
    for name in names:
        _check_end(tmp_path, ends[name])
    assert secret.exists()
    assert {path.name for path in inbox.iterdir()} == {MARKER_NAME, *FOLDERS}
    assert not any("secret" in name for name in files(tmp_path / "output"))


def _check_end(root: Path, end: dict[str, object]) -> None:
    """Assert that a file is in failed/ with its reason, or its output can be read."""
    name = str(end["image"])
    if end["event"] == "job_failed":
        assert end["reason"] in FILE_REASONS
        record = json.loads((root / "failed" / f"{name}.error.json").read_text())
        assert record["reason"] == end["reason"]
        assert (root / "failed" / name).exists()
    else:
        with Image.open(root / "output" / str(end["output"])) as picture:
            picture.load()
            assert picture.size == (end["out_width"], end["out_height"])


def test_16_bits_and_pages_go_through(tmp_path: Path) -> None:
    """A 16-bit gradient keeps more than 256 levels; each page of a TIFF is an output of its own."""
    inbox = prepare(tmp_path, more='[output]\nformat = "same"\nframes = "each"\n')
    ramp = np.linspace(3000, 62000, 80 * 60).astype(np.uint16).reshape(60, 80)
    pixels = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2)
    image = pyvips.Image.new_from_memory(pixels.tobytes(), 80, 60, 3, "ushort")
    image.copy(interpretation="rgb16").pngsave(str(inbox / "gradient.png"))
    pages = [Image.new("L", (20 + number, 15), 100 * number) for number in range(3)]
    pages[0].save(inbox / "pages.tif", save_all=True, append_images=pages[1:])
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "An Author"
    Image.new("RGB", (20, 15), (10, 200, 30)).save(inbox / "photo.jpg", exif=exif)
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
    pages_out = [f"pages_p{number:03d}_x2.tif" for number in (1, 2, 3)]
    assert files(tmp_path / "output") == ["gradient_x2.png", *pages_out, "photo_x2.jpg"]
    assert files(tmp_path / "archive") == ["gradient.png", "pages.tif", "photo.jpg"]
    back = pyvips.Image.pngload(str(tmp_path / "output" / "gradient_x2.png")).numpy()
    assert (back.shape, back.dtype) == ((120, 160, 3), np.uint16)
    assert min(len(np.unique(back[..., channel])) for channel in range(3)) > 2000
    for number, name in enumerate(pages_out):
        with Image.open(tmp_path / "output" / name) as page:
            assert (page.size, page.mode) == ((40 + 2 * number, 30), "L")
            assert page.getpixel((7, 7)) == 100 * number
    with Image.open(tmp_path / "output" / "photo_x2.jpg") as photo:
        assert photo.getexif()[ExifTags.Base.Artist] == "An Author"
        assert '"scale_factor": 2.0' in photo.getexif()[ExifTags.Base.Software]
    done = next(
        line for line in lines(tmp_path) if line["event"] == "job_done" and "pages" in line["image"]
    )
    assert done["note"] == "3 frames, each by itself"
    queued = next(line for line in lines(tmp_path) if line.get("frames") is not None)
    assert (queued["event"], queued["image"], queued["frames"]) == ("job_queued", "pages.tif", 3)


def test_upscale_command_writes_formats_and_pages(tmp_path: Path) -> None:
    """A file named with -o decides its format; pages of `frames = "each"` get their numbers."""
    prepare(tmp_path, more='[output]\nframes = "each"\n')
    pages = [Image.new("L", (20, 15), 100 * number) for number in range(2)]
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    Image.new("RGB", (20, 15)).save(tmp_path / "a.png")
    settings = ("--settings", "settings.toml")
    assert command(tmp_path, "upscale", "a.png", "-o", "b.webp", *settings).returncode == 0
    assert command(tmp_path, "upscale", "pages.tif", *settings).returncode == 0
    with Image.open(tmp_path / "b.webp") as picture:
        assert (picture.format, picture.size) == ("WEBP", (40, 30))
    assert {"pages_p001_x2.png", "pages_p002_x2.png"} <= set(files(tmp_path))
    assert not any(name.endswith(".part") for name in files(tmp_path))
