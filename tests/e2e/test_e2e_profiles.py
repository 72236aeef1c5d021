"""An image's own settings as users give them: files dropped into the inbox of the real daemon."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.parts.daemon_process import DATA, DaemonProcess, command, files, lines, prepare
from tests.parts.kernel_files import npy

pytestmark = pytest.mark.e2e

WIDE = np.outer(np.hanning(7)[1:-1], np.hanning(7)[1:-1])


def small(path: Path, pages: int = 1) -> None:
    """Write a small picture, by a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    with Image.open(DATA / "butterfly_lr.png") as image:
        picture = image.crop((0, 0, 24, 20))
    more = {"save_all": True, "append_images": [picture] * (pages - 1)} if pages > 1 else {}
    picture.save(part, path.suffix[1:].replace("tif", "tiff"), **more)
    part.rename(path)


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write settings files, each by a rename."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}")
        part.write_text(text)
        part.rename(path)


def told(daemon: DaemonProcess, event: str) -> dict[str, dict[str, Any]]:
    """Return the last line of an event for each image."""
    return {line["image"]: line for line in daemon.log() if line["event"] == event}


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a picture."""
    with Image.open(path) as image:
        return image.size


def test_each_image_by_the_files_that_count_for_it(tmp_path: Path) -> None:
    """Scale, name, format, disposal, frames, report and kernel; log, ledger and files agree."""
    inbox = prepare(tmp_path)
    for name in ("plain", "scans/a", "scans/deep/b", "scans/c", "scans/d", "scans/k", "scans/n"):
        small(inbox / f"{name}.png")
    small(inbox / "scans/pages.tif", pages=2)
    write(
        inbox,
        {
            "scans/zssr.toml": '[zssr]\nscale_factor = 3.0\npreset = "fast"',
            "scans/deep/b.toml": '[zssr]\nscale_factor = 1.5\n[output]\nname = "{stem}_own"\n'
            'format = "tiff"\nreport = true',
            "scans/c.png.toml": '[output]\non_success = "keep"',
            "scans/d.toml": '[output]\non_success = "delete"',
            "scans/k.toml": '[degradation]\nkernel = "lens.npy"',
            "scans/n.toml": '[degradation]\nkernel = "none.npy"',
            "scans/pages.toml": '[output]\nframes = "each"',
        },
    )
    (inbox / "scans/lens.npy").write_bytes(npy(WIDE))
    (inbox / "scans/none.npy").write_bytes(b"no kernel")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
        started, done = told(daemon, "job_started"), told(daemon, "job_done")
        failed, ignored = told(daemon, "job_failed"), told(daemon, "file_ignored")
    assert files(tmp_path / "output") == [
        "plain_x2.png",
        "scans/a_x3.png",
        "scans/c_x3.png",
        "scans/d_x3.png",
        "scans/deep/b_own.tif",
        "scans/deep/b_own.tif.report.html",
        "scans/k_x3.png",
        "scans/pages_p001_x3.png",
        "scans/pages_p002_x3.png",
    ]
    assert size_of(tmp_path / "output/scans/a_x3.png") == (72, 60)
    assert size_of(tmp_path / "output/scans/deep/b_own.tif") == (36, 30)
    assert files(tmp_path / "archive") == [
        "plain.png",
        "scans/a.png",
        "scans/deep/b.png",
        "scans/deep/b.toml",
        "scans/k.png",
        "scans/k.toml",
        "scans/pages.tif",
        "scans/pages.toml",
    ]
    assert files(tmp_path / "failed") == ["scans/n.png", "scans/n.png.error.json", "scans/n.toml"]
    left = ["c.png", "c.png.toml", "lens.npy", "none.npy", "zssr.toml"]
    assert files(inbox) == [f"scans/{name}" for name in left]
    assert "profile" not in started["plain.png"]
    assert started["scans/a.png"]["profile"] == ["scans/zssr.toml"]
    both = ["scans/zssr.toml", "scans/deep/b.toml"]
    assert started["scans/deep/b.png"]["profile"] == both
    for line in (started, done):
        of_all = {name: (line[name]["preset"], line[name]["scale"]) for name in done}
        assert of_all["plain.png"] == ("balanced", 2.0)
        assert of_all["scans/a.png"] == ("fast", 3.0)
        assert of_all["scans/deep/b.png"] == ("fast", 1.5)
    assert done["scans/k.png"]["kernel"] == "lens.npy"
    assert {name: line["reason"] for name, line in failed.items()} == {"scans/n.png": "bad_kernel"}
    assert set(ignored) == {"scans/lens.npy", "scans/none.npy"}
    job_id = done["scans/deep/b.png"]["job_id"]
    job = json.loads(command(tmp_path, "jobs", job_id, "--json").stdout)
    assert job["settings"]["output"]["name"] == "{stem}_own"
    # What settings.toml says of [zssr] stays, though the preset is another one.
    zssr = job["settings"]["zssr"]
    assert (zssr["preset"], zssr["scale_factor"], zssr["num_epochs"]) == ("fast", 1.5, 20)


def test_faulty_files_fail_their_images_and_no_other(tmp_path: Path) -> None:
    """Whatever is in the place of a settings file, the record names it, and the queue goes on."""
    inbox = prepare(tmp_path)
    small(inbox / "good.png")
    write(inbox, {"wrong/zssr.toml": "[zssr]\nscale_facto = 3.0"})
    write(inbox, {"out.toml": '[degradation]\nkernel = "../lens.npy"', "huge.toml": "#" * 70_000})
    (tmp_path / "lens.npy").write_bytes(npy(WIDE))
    (inbox / "link.toml").symlink_to(tmp_path / "settings.toml")
    os.mkfifo(inbox / "fifo.toml")
    (inbox / "binary.toml").write_bytes(bytes(range(256)))
    why = {
        "wrong/a": "wrong/zssr.toml: unknown key [zssr] scale_facto; did you mean scale_factor?",
        "out": "out.toml: [degradation] kernel = '../lens.npy': lies outside the inbox",
        "huge": "huge.toml: more than 64000 bytes",
        "link": "link.toml: 'link.toml' is not a plain file",
        "fifo": "fifo.toml: 'fifo.toml' is not a regular file",
        "binary": "binary.toml: no TOML in UTF-8",
    }
    for name in why:
        small(inbox / f"{name}.png")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
        failed = told(daemon, "job_failed")
    assert set(failed) == {f"{name}.png" for name in why}
    for name, message in why.items():
        line = failed[f"{name}.png"]
        assert line["reason"] == "bad_settings"
        assert message in line["message"]
        record = json.loads((tmp_path / "failed" / f"{name}.png.error.json").read_text())
        assert record["message"] == line["message"]
        assert size_of(tmp_path / "failed" / f"{name}.png") == (24, 20)
    assert files(tmp_path / "output") == ["good_x2.png"]
    assert files(inbox) == ["wrong/zssr.toml"]
    assert (tmp_path / "failed" / "link.toml").is_symlink()


def test_what_changes_before_a_job_begins_counts(tmp_path: Path) -> None:
    """A settings file that came, changed or went counts for the next image, restart or not."""
    inbox = prepare(tmp_path)
    write(inbox, {"slow.toml": "[zssr]\nnum_epochs = 1000000", "gone.toml": "[zssr]\nseed = -1"})
    small(inbox / "slow.png")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_progress", image="slow.png", stage="fit")
        (inbox / "gone.toml").write_text("[zssr]\nscale_factor = 5.0")
        for name in ("sub/later.png", "gone.png", "faulty.png"):
            small(inbox / name)
            daemon.wait_for("job_queued", image=name)
        write(inbox, {"sub/zssr.toml": "[zssr]\nscale_factor = 3.0", "faulty.toml": "[zsr]"})
        write(inbox, {"slow.toml": "[zssr]\nscale_factor = 4.0"})
        (inbox / "gone.toml").unlink()
        daemon.send(signal.SIGTERM)
        assert daemon.exit_code() == 0
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("job_failed", image="faulty.png", reason="bad_settings")
        for name in ("slow.png", "sub/later.png", "gone.png"):
            daemon.wait_for("job_done", image=name)
        write(inbox, {"sub/zssr.toml": "[zssr]\nscale_factor = 1.5"})
        small(inbox / "sub/last.png")
        daemon.wait_for("job_done", image="sub/last.png", scale=1.5)
        # Mended in failed/ and tried again, under the same id.
        write(tmp_path / "failed", {"faulty.toml": "[zssr]\nscale_factor = 6.0"})
        assert command(tmp_path, "retry", "--failed").returncode == 0
        daemon.wait_for("job_done", image="faulty.png", scale=6.0)
    assert files(tmp_path / "output") == [
        "faulty_x6.png",
        "gone_x2.png",
        "slow_x4.png",
        "sub/last_x1.5.png",
        "sub/later_x3.png",
    ]
    assert files(tmp_path / "failed") == []
    assert files(inbox) == ["sub/zssr.toml"]
    assert {"faulty.toml", "slow.toml"} < set(files(tmp_path / "archive"))
    ids = {line["job_id"] for line in lines(tmp_path) if line.get("image") == "faulty.png"}
    assert len(ids) == 1


def test_upscale_knows_them_too(tmp_path: Path) -> None:
    """Files beside an image and in its folder count; the command line wins; a fault fails it."""
    prepare(tmp_path)
    for name in ("a", "b", "c"):
        small(tmp_path / f"{name}.png")
    write(tmp_path, {"zssr.toml": "[zssr]\nscale_factor = 3.0"})
    write(tmp_path, {"b.toml": '[output]\nformat = "webp"', "c.toml": "[limits]"})
    done = command(tmp_path, "upscale", "c.png", "a.png", "b.png")
    assert done.returncode == 1
    assert "c.png: bad_settings: c.toml: unknown key [limits]" in done.stderr
    assert (tmp_path / "a_x3.png").is_file()
    assert size_of(tmp_path / "b_x3.webp") == (72, 60)
    assert command(tmp_path, "upscale", "a.png", "--scale", "1.5").returncode == 0
    assert size_of(tmp_path / "a_x1.5.png") == (36, 30)
