"""Noisy and compressed images, by the daemon and by `upscale`."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.parts.daemon_process import DATA, DaemonProcess, command, prepare

pytestmark = pytest.mark.e2e


def test_each_image_is_measured(tmp_path: Path) -> None:
    """By default; `job_done`, `jobs` and the output tell what was found; `upscale` agrees."""
    inbox = prepare(tmp_path, is_auto=True)
    with Image.open(DATA / "butterfly_lr.png") as image:
        picture = image.convert("RGB")
    noise = np.random.default_rng(0).normal(0, 10, (picture.height, picture.width, 3))
    noisy = np.clip(np.rint(np.asarray(picture) + noise), 0, 255).astype(np.uint8)
    picture.save(inbox / "clean.png")
    picture.save(inbox / "small.jpg", quality=60)
    Image.fromarray(noisy).save(inbox / "noisy.png")
    (tmp_path / "noisy.png").write_bytes((inbox / "noisy.png").read_bytes())
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
        done = {line["image"]: line for line in daemon.log() if line["event"] == "job_done"}
    qualities = {name: line["jpeg_quality"] for name, line in done.items()}
    assert qualities == {"clean.png": None, "small.jpg": 60, "noisy.png": None}
    assert (done["clean.png"]["noise_std"], done["small.jpg"]["noise_std"]) == (0, 0)
    assert done["noisy.png"]["noise_std"] == pytest.approx(10, rel=0.15)
    assert done["small.jpg"]["found"].startswith("JPEG of quality 60 removed; no noise")
    assert done["clean.png"]["found"] == "no JPEG, noise or blur found"
    shown = command(tmp_path, "jobs", done["small.jpg"]["job_id"], "--json", "-s", "settings.toml")
    assert json.loads(shown.stdout)["message"] == done["small.jpg"]["found"]
    table = command(tmp_path, "jobs", done["small.jpg"]["job_id"], "-s", "settings.toml")
    assert "JPEG of quality 60 removed" in " ".join(table.stdout.split())
    with Image.open(tmp_path / "output" / "noisy_x2.png") as image:
        told = json.loads(image.info["zssr"])
    assert told["noise_std"] == done["noisy.png"]["noise_std"]
    assert command(tmp_path, "upscale", "noisy.png", "--settings", "settings.toml").returncode == 0
    outputs = [tmp_path / "noisy_x2.png", tmp_path / "output" / "noisy_x2.png"]
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
