"""Blur kernels as users give them: in the settings, and beside an image."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.parts.daemon_process import DATA, DaemonProcess, command, files, prepare
from tests.parts.kernel_files import mat, npy
from zssr_daemon.zssr.degradation.blur import Kernel

pytestmark = pytest.mark.e2e

BUTTERFLY = (DATA / "butterfly_lr.png").read_bytes()
WIDE = np.outer(np.hanning(11)[1:-1], np.hanning(11)[1:-1])
SLANTED = np.eye(5) + np.eye(5, k=1)


def parameters(output: Path) -> dict[str, object]:
    """Return what an output says of how it was made."""
    with Image.open(output) as image:
        found: dict[str, object] = json.loads(image.info["zssr"])
    return found


def test_kernel_beside_an_image_is_taken_for_that_image(tmp_path: Path) -> None:
    """Log and output name the kernel; a broken one fails its image and no other.

    The kernels stay where they were put.
    """
    inbox = prepare(tmp_path)
    for name in ("plain", "blurred", "broken", "page"):
        (inbox / f"{name}.png").write_bytes(BUTTERFLY)
    (inbox / "blurred.kernel.npy").write_bytes(npy(WIDE))
    (inbox / "page.png.kernel.mat").write_bytes(mat({"Kernel": SLANTED}, is_compressed=True))
    (inbox / "broken.kernel.mat").write_bytes(b"no kernel")
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 1
        done = {line["image"]: line for line in daemon.log() if line["event"] == "job_done"}
        failed = [line for line in daemon.log() if line["event"] == "job_failed"]
    assert files(tmp_path / "output") == ["blurred_x2.png", "page_x2.png", "plain_x2.png"]
    assert {name: line["kernel"] for name, line in done.items()} == {
        "plain.png": "bicubic",
        "blurred.png": "blurred.kernel.npy",
        "page.png": "page.png.kernel.mat",
    }
    assert done["plain.png"]["kernel_sha256"] is None
    assert "kernel_sha256" not in parameters(tmp_path / "output" / "plain_x2.png")
    for name in ("blurred", "page"):
        told = parameters(tmp_path / "output" / f"{name}_x2.png")
        assert told["kernel_sha256"] == done[f"{name}.png"]["kernel_sha256"]
        assert told["kernel_phase"] == "centred"
    assert [(line["image"], line["reason"]) for line in failed] == [("broken.png", "bad_kernel")]
    assert (tmp_path / "failed" / "broken.png").read_bytes() == BUTTERFLY
    record = json.loads((tmp_path / "failed" / "broken.png.error.json").read_text())
    assert record["reason"] == "bad_kernel"
    assert files(inbox) == ["blurred.kernel.npy", "broken.kernel.mat", "page.png.kernel.mat"]
    pictures = {path.read_bytes() for path in (tmp_path / "output").glob("*.png")}
    assert len(pictures) == 3


def with_kernel(root: Path, content: bytes) -> None:
    """Name a kernel file in the settings, and write it beside them."""
    (root / "lens.mat").write_bytes(content)
    file = root / "settings.toml"
    table = '[degradation]\nkernel = "lens.mat"\nkernel_phase = "topleft"\n'
    file.write_text(table + file.read_text())


def test_kernel_of_the_settings_is_for_all_images(tmp_path: Path) -> None:
    """The daemon needs the file only at its start; `upscale` uses it too, and `check` names it."""
    inbox = prepare(tmp_path, is_auto=True)
    with_kernel(tmp_path, mat({"kernel": SLANTED}))
    assert "kernel: lens.mat" in command(tmp_path, "check").stdout
    (tmp_path / "photo.png").write_bytes(BUTTERFLY)
    done = command(tmp_path, "upscale", "photo.png", "--settings", "settings.toml")
    assert (done.returncode, done.stderr) == (0, "")
    told = parameters(tmp_path / "photo_x2.png")
    assert (told["kernel"], told["kernel_phase"]) == ("lens.mat", "topleft")
    with DaemonProcess(tmp_path) as daemon:
        daemon.wait_for("worker_ready")
        (tmp_path / "lens.mat").unlink()
        (inbox / "photo.png").write_bytes(BUTTERFLY)
        line = daemon.wait_for("job_done")
    assert (line["kernel"], line["kernel_sha256"]) == ("lens.mat", told["kernel_sha256"])
    assert (tmp_path / "output" / "photo_x2.png").read_bytes() == (
        tmp_path / "photo_x2.png"
    ).read_bytes()


def test_broken_kernel_of_the_settings_is_refused_at_the_start(tmp_path: Path) -> None:
    """All commands that would use it end with exit code 78 and touch nothing."""
    inbox = prepare(tmp_path, is_auto=True)
    with_kernel(tmp_path, b"no kernel")
    (inbox / "photo.png").write_bytes(BUTTERFLY)
    for arguments in (("run", "--once"), ("check",), ("upscale", "inbox/photo.png")):
        done = command(tmp_path, *arguments, "--settings", "settings.toml")
        assert done.returncode == 78, arguments
        assert "[degradation] kernel = " in done.stderr
        assert "lens.mat" in done.stderr
    assert files(inbox) == ["photo.png"]


def blurred_picture() -> bytes:
    """Return the butterfly at half size, blurred by a Gaussian, as a file."""
    with Image.open(DATA / "butterfly_hr.png") as image:
        truth = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255
    at = np.arange(-6, 7)
    weights = np.exp(-(at[:, None] ** 2) / 8 - at**2 / 4)
    small = Kernel.of(weights).shrink(truth, (128, 128), 2.0).clamp(0, 1)
    stream = io.BytesIO()
    Image.fromarray(small.mul(255).round().byte().permute(1, 2, 0).numpy()).save(stream, "PNG")
    return stream.getvalue()


def test_kernel_estimated_from_each_image(tmp_path: Path) -> None:
    """A kernel is estimated for the blurred image and not for the sharp one; the log says why.

    The kernel lies beside its output, as a file that is taken as a kernel again and gives the
    same output, and as a picture; it is in the report. A kernel beside an image goes before.
    """
    inbox = prepare(tmp_path, is_auto=True)
    file = tmp_path / "settings.toml"
    file.write_text(
        file.read_text() + '[degradation]\nkernel = "estimate"\n[output]\nreport = true\n'
    )
    (inbox / "sharp.png").write_bytes(BUTTERFLY)
    for name in ("soft", "known"):
        (inbox / f"{name}.png").write_bytes(blurred_picture())
    (inbox / "known.kernel.npy").write_bytes(npy(WIDE))
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
        done = {line["image"]: line for line in daemon.log() if line["event"] == "job_done"}
    soft, sharp, known = (done[f"{name}.png"] for name in ("soft", "sharp", "known"))
    assert (soft["kernel"], sharp["kernel"]) == ("estimated", "bicubic")
    assert known["kernel"] == "known.kernel.npy"
    assert soft["kernel_why"].startswith("blurred: Gaussian of ")
    assert sharp["kernel_why"].startswith(("sharp: not blurred", "doubtful: not blurred"))
    assert known["kernel_why"] is None
    output = tmp_path / "output"
    kernels = [name for name in files(output) if ".kernel." in name]
    assert kernels == ["soft_x2.png.kernel.npy", "soft_x2.png.kernel.png"]
    with Image.open(output / kernels[1]) as picture:
        assert (picture.mode, np.asarray(picture).max()) == ("L", 255)
    assert "Estimated kernel" in (output / "soft_x2.png.report.html").read_text()
    assert "Estimated kernel" not in (output / "sharp_x2.png.report.html").read_text()
    again = tmp_path / "again"
    again.mkdir()
    (again / "soft.png").write_bytes(blurred_picture())
    (again / "soft.kernel.npy").write_bytes((output / kernels[0]).read_bytes())
    run = command(tmp_path, "upscale", "again/soft.png", "--settings", "settings.toml")
    assert (run.returncode, run.stderr) == (0, "")
    with Image.open(again / "soft_x2.png") as second, Image.open(output / "soft_x2.png") as first:
        assert second.tobytes() == first.tobytes()


def test_upscale_saves_the_estimated_kernel(tmp_path: Path) -> None:
    """`upscale` writes the kernel beside the output, as the daemon does, and nothing else."""
    inbox = prepare(tmp_path)
    (tmp_path / "settings.toml").write_text(
        '[degradation]\nkernel = "estimate"\n[zssr]\nnum_epochs = 5\n'
    )
    (inbox / "soft.png").write_bytes(blurred_picture())
    run = command(tmp_path, "upscale", "inbox/soft.png", "--settings", "settings.toml")
    assert (run.returncode, run.stderr) == (0, "")
    assert files(inbox) == [
        "soft.png",
        "soft_x2.png",
        "soft_x2.png.kernel.npy",
        "soft_x2.png.kernel.png",
    ]


def test_auto_asks_each_image_and_leaves_clean_ones_alone(tmp_path: Path) -> None:
    """A profile of a sub-folder has blur, noise and compression found, each in its image.

    The clean one is byte for byte what it is without.
    """
    inbox = prepare(tmp_path, is_auto=True)
    folder = inbox / "photos"
    folder.mkdir()
    (folder / "zssr.toml").write_text("[degradation]\nauto = true\n")
    (inbox / "zssr.toml").write_text("[degradation]\nauto = false\n")
    with Image.open(DATA / "butterfly_lr.png") as image:
        picture = image.convert("RGB")
    noise = np.random.default_rng(0).normal(0, 10, (128, 128, 3))
    noisy = np.clip(np.rint(np.asarray(picture) + noise), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(folder / "noisy.png")
    picture.save(folder / "small.jpg", quality=60)
    (folder / "soft.png").write_bytes(blurred_picture())
    for path in (folder / "clean.png", inbox / "clean.png"):
        path.write_bytes(BUTTERFLY)
    with DaemonProcess(tmp_path, "--once") as daemon:
        assert daemon.exit_code() == 0
        done = {line["image"]: line for line in daemon.log() if line["event"] == "job_done"}
    clean, soft, noisy_line, small = (
        done[f"photos/{name}"] for name in ("clean.png", "soft.png", "noisy.png", "small.jpg")
    )
    assert (soft["kernel"], soft["noise_std"], soft["jpeg_quality"]) == ("estimated", 0, None)
    assert noisy_line["noise_std"] == pytest.approx(10, rel=0.15)
    assert (small["kernel"], small["jpeg_quality"]) == ("bicubic", 60)
    assert small["kernel_why"].startswith("compressed")
    assert (clean["kernel"], clean["noise_std"], clean["jpeg_quality"]) == ("bicubic", 0, None)
    assert clean["out_sha256"] == done["clean.png"]["out_sha256"]
    assert done["clean.png"]["kernel_why"] is None
