"""SourceDegradation: it is as ordered, or estimated, and told in report and output."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tests.parts.picture_files import LIMITS, deep_file, smooth_picture
from tests.parts.rasters import raster
from tests.parts.tiny_settings import TINY
from tests.parts.worker_parts import order_of
from tests.parts.zssr_pictures import DATA, load
from zssr_daemon.errors import KernelError
from zssr_daemon.imaging.decode import decode
from zssr_daemon.imaging.readers.content import read_file
from zssr_daemon.protocol.messages import WorkDone
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.worker.layers import Layer
from zssr_daemon.worker.source_degradation import SourceDegradation, noise_of
from zssr_daemon.worker.source_file import SourceFile
from zssr_daemon.zssr.config import ZSSRConfig
from zssr_daemon.zssr.degradation.blur import Kernel
from zssr_daemon.zssr.degradation.degradation import Degradation
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables
from zssr_daemon.zssr.estimation.free_kernel.motion_path import MotionPath

ENLARGER = Enlarger("cpu", 1)


def enlarged(path: Path, **ordered: Any) -> WorkDone:
    """Enlarge a file with what is ordered of noise and JPEG; the result is `part` beside it."""
    return enlarge_file(ENLARGER, replace(order_of(path), **ordered), lambda _: None)


def told(folder: Path) -> dict[str, Any]:
    """Return what an output says of noise and compression."""
    with Image.open(folder / "part") as image:
        parameters: dict[str, Any] = json.loads(image.info["zssr"])
    return {key: parameters[key] for key in ("noise_std", "jpeg_quality") if key in parameters}


def noisy(std: float, levels: int = 255) -> NDArray[np.float64]:
    """Return a smooth colour picture (96, 128, 3) with noise of `std` levels of 255."""
    pixels = np.asarray(smooth_picture(128, 96), dtype=np.float64) * 0.6 + 50
    noise = np.random.default_rng(0).normal(0, std, pixels.shape)
    return np.clip(np.rint((pixels + noise) * (levels / 255)), 0, levels)


def test_noise_is_measured_where_asked(tmp_path: Path) -> None:
    """In report and output stands the number that was used; compression was none."""
    path = tmp_path / "noisy.png"
    Image.fromarray(noisy(8).astype(np.uint8)).save(path)
    report = enlarged(path, noise_std="auto", jpeg_quality="auto").report
    assert report.noise_std == pytest.approx(8, rel=0.15)
    assert report.jpeg_quality is None
    assert told(tmp_path) == {"noise_std": report.noise_std}


def test_noise_of_deep_pictures_is_in_levels_of_255_too(tmp_path: Path) -> None:
    """The unit is the same for sources of 16 bits, and for 12 bits in 16: of their own range."""
    for highest in (65535, 4095):
        pixels = noisy(8, highest).astype(np.uint16)
        pixels[0, 0], pixels[0, 1] = 0, highest
        path = deep_file(tmp_path / "deep.png", pixels)
        report = enlarged(path, noise_std="auto").report
        assert report.noise_std == pytest.approx(8, rel=0.15)


@pytest.mark.parametrize("void_to", [0, 48, 90])
def test_noise_is_that_of_the_content(tmp_path: Path, void_to: int) -> None:
    """What fills the void is smooth, and is not measured."""
    pixels = noisy(8)[..., :1].astype(np.int16)
    pixels[:void_to] = -9999
    path = raster(tmp_path / "a.tif", pixels, nodata="-9999")
    with path.open("rb") as file:
        content = decode(read_file(file.fileno(), LIMITS), LIMITS).colour
    layer = Layer(content=content, samples=pixels, factor=1.0)
    found = noise_of(layer.taken_picture(), layer.void).std
    measured = found * content.sample_range.span / 255
    assert measured == (pytest.approx(8, rel=0.2) if void_to < 90 else 0)


def test_compression_is_found_in_16_bits(tmp_path: Path) -> None:
    """JPEG counts in levels of its container, whatever range the picture fills."""
    Image.fromarray(noisy(3).astype(np.uint8)).save(tmp_path / "photo.jpg", quality=70)
    with Image.open(tmp_path / "photo.jpg") as image:
        pixels = np.asarray(image).astype(np.uint16) * np.uint16(257)
    path = deep_file(tmp_path / "photo.png", pixels)
    assert enlarged(path, jpeg_quality="auto").report.jpeg_quality == 70


def test_compression_is_found_where_asked(tmp_path: Path) -> None:
    """In a JPEG, and in a PNG made of one; then there is no noise."""
    file = tmp_path / "photo.jpg"
    Image.fromarray(noisy(3).astype(np.uint8)).save(file, quality=70)
    with Image.open(file) as image:
        image.save(tmp_path / "photo.png")
    for name in ("photo.jpg", "photo.png"):
        report = enlarged(tmp_path / name, noise_std="auto", jpeg_quality="auto").report
        assert (report.noise_std, report.jpeg_quality) == (0, 70)
        assert told(tmp_path) == {"jpeg_quality": 70}


def degradation_of(path: Path, picture: Tensor, **ordered: Any) -> Degradation:
    """Return the degradation of a file, which holds `picture` after decoding."""
    order = replace(order_of(path), **ordered)
    file = SourceFile(order)
    file.decode(0)
    return SourceDegradation.of(order, picture, tables=file.jpeg_tables).degradation


def test_a_jpeg_tells_its_own_tables(tmp_path: Path) -> None:
    """No estimate replaces them, and a given number replaces both."""
    steps = [3 + 2 * at for at in range(64)]
    path = tmp_path / "camera.jpg"
    smooth_picture(64, 48).save(path, qtables=[steps, steps], subsampling="4:2:2")
    picture = torch.rand(3, 48, 64)
    found = degradation_of(path, picture, jpeg_quality="auto")
    tables = JpegTables(luma=tuple(steps), chroma=(tuple(steps), tuple(steps)), shrunk=(1, 2))
    assert (found.jpeg_tables, found.jpeg_quality) == (tables, tables.quality)
    for ordered in (60, "none"):
        given = degradation_of(path, picture, jpeg_quality=ordered)
        assert given.jpeg_tables is None
        assert given.jpeg_quality == (None if ordered == "none" else ordered)


def test_a_jpeg_as_fine_as_they_may_be_is_seen_by_its_pixels(tmp_path: Path) -> None:
    """It does no harm of its own, but may hold a picture that was compressed before."""
    coarse = tmp_path / "coarse.jpg"
    Image.fromarray(noisy(3).astype(np.uint8)).save(coarse, quality=60)
    with Image.open(coarse) as image:
        image.save(tmp_path / "fine.jpg", quality=99, subsampling=0)
        picture = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
    found = degradation_of(tmp_path / "fine.jpg", picture, jpeg_quality="auto")
    assert found.jpeg_quality == pytest.approx(60, abs=2)
    clean = torch.rand(3, 48, 64)
    assert degradation_of(tmp_path / "fine.jpg", clean, jpeg_quality="auto").jpeg_quality is None


def test_a_jpeg_that_was_coarser_before_is_seen_by_its_pixels(tmp_path: Path) -> None:
    """Saved again with finer steps, it has the faults of the first time."""
    first, again = tmp_path / "first.jpg", tmp_path / "again.jpg"
    with Image.open(DATA / "butterfly_hr.png") as image:
        image.convert("RGB").save(first, quality=60)
    with Image.open(first) as image:
        image.save(again, quality=90)
    for path, quality in ((first, 60), (again, 60)):
        with Image.open(path) as image:
            picture = torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(255)
        found = degradation_of(path, picture, jpeg_quality="auto")
        assert found.jpeg_quality == pytest.approx(quality, abs=1)


@pytest.mark.parametrize(
    ("name", "ordered", "sentence"),
    [
        ("clean.png", {}, "taken as it is: nothing was looked for"),
        (
            "clean.png",
            {"kernel": "auto", "noise_std": "auto", "jpeg_quality": "auto"},
            "no JPEG, noise or blur found",
        ),
        (
            "small.jpg",
            {"kernel": "auto", "noise_std": "auto", "jpeg_quality": "auto"},
            "JPEG of quality 60 removed; no noise found; "
            "blur not looked for through so strong a JPEG",
        ),
        (
            "small.webp",
            {"noise_std": "auto", "jpeg_quality": "auto"},
            "compression of WebP, like JPEG of quality 86, removed; no noise found",
        ),
        (
            "clean.png",
            {"noise_std": 3.0, "jpeg_quality": 75},
            "JPEG of quality 75 and noise of 3 levels removed",
        ),
        (
            "clean.png",
            {"noise_std": 3.0, "keeps_grain": True, "jpeg_quality": "auto"},
            "grain of 3 levels kept; no JPEG found",
        ),
        (
            "clean.png",
            {"noise_std": "auto", "keeps_grain": True},
            "no noise found",
        ),
    ],
)
def test_a_sentence_says_what_was_found_and_done(
    tmp_path: Path, name: str, ordered: dict[str, Any], sentence: str
) -> None:
    """It names what was removed, what was looked for in vain, and nothing else."""
    smooth_picture(96, 64).save(tmp_path / name, quality=60)  # of a JPEG
    assert enlarged(tmp_path / name, **ordered).report.found == sentence


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (replace(TINY, scale_factor=3.0, scale_times=2), "at a total scale of 9"),
        (replace(TINY, preset="instant"), "with the preset instant"),
    ],
)
def test_a_blur_nobody_asked_for_is_passed_over_where_it_cannot_be(
    tmp_path: Path, config: ZSSRConfig, why: str
) -> None:
    """The job runs, and says so; one that was asked for is refused, or looked for, as ever."""
    path = tmp_path / "small.png"
    smooth_picture(24, 16).save(path)
    report = enlarged(path, config=config, kernel="auto").report
    assert (report.kernel, report.found) == ("bicubic", f"blur not looked for {why}")
    if config.scale_times > 1:
        with pytest.raises(KernelError, match="an estimated kernel"):
            enlarged(path, config=config, kernel="estimate")
    else:
        found = enlarged(path, config=config, kernel="estimate").report.found
        assert found == "no blur found"


@pytest.mark.parametrize(
    ("preset", "found"),
    [("balanced", "blur (moved along a path of "), ("fast", "no blur found")],
)
def test_a_shaken_hand_is_looked_for_from_balanced_up(
    tmp_path: Path, preset: Any, found: str
) -> None:
    """The sentence names the path, and `kernel_why` the evidence; `fast` has no time for it."""
    path = MotionPath(np.array([[0.3, -0.9, 0.1], [1.9, 0.2, 0.2]]))
    truth = load("butterfly_hr.png")
    source = Kernel.of(path.weights((2, 2))).shrink(truth, (128, 128), 2).clamp(0, 1)
    pixels = source.mul(255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "shaken.png")
    report = enlarged(
        tmp_path / "shaken.png", config=replace(TINY, preset=preset), kernel="auto"
    ).report
    assert report.found.startswith(found)
    if preset == "balanced":
        assert report.kernel == "estimated"
        assert report.kernel_why is not None
        assert report.kernel_why.startswith("blurred: moved along a path of ")
        assert report.kernel_why.endswith(", 0.2 is enough")


def test_numbers_are_taken_as_they_are(tmp_path: Path) -> None:
    """Whatever the picture looks like, and whether it has colours, or alpha."""
    for mode in ("RGB", "L", "RGBA"):
        path = tmp_path / f"{mode}.png"
        smooth_picture(64, 48, mode).save(path)
        report = enlarged(path, noise_std=4.0, jpeg_quality=50).report
        assert (report.noise_std, report.jpeg_quality) == (4.0, 50)
        assert told(tmp_path) == {"noise_std": 4.0, "jpeg_quality": 50}


def test_grain_is_kept_where_asked(tmp_path: Path) -> None:
    """The output tells so; the noise that is removed else is in it."""
    path = tmp_path / "noisy.png"
    Image.fromarray(noisy(8).astype(np.uint8)).save(path)
    rough = []
    for keeps_grain in (False, True):
        enlarged(path, noise_std=8.0, keeps_grain=keeps_grain)
        with Image.open(tmp_path / "part") as image:
            assert json.loads(image.info["zssr"]).get("grain") == ("keep" if keeps_grain else None)
            rough.append(np.diff(np.asarray(image).astype(float), axis=0).std())
    assert rough[1] > 2 * rough[0]


def test_alpha_has_no_noise_taken_out(tmp_path: Path) -> None:
    """Transparency is enlarged as it would be without."""
    path = tmp_path / "noisy.png"
    Image.fromarray(np.dstack([noisy(8), noisy(8)[..., :1]]).astype(np.uint8), "RGBA").save(path)
    alphas = []
    for std in (0.0, 8.0):
        enlarged(path, noise_std=std)
        with Image.open(tmp_path / "part") as image:
            alphas.append(np.asarray(image)[..., 3])
    np.testing.assert_array_equal(alphas[0], alphas[1])


def test_clean_pictures_come_out_as_ever(tmp_path: Path) -> None:
    """Where nothing is found the bytes are those of a job that did not look."""
    path = tmp_path / "clean.png"
    smooth_picture(96, 64).save(path)
    done = [
        enlarged(path, noise_std=std, jpeg_quality=quality)
        for std, quality in (("auto", "auto"), (0.0, "none"))
    ]
    assert told(tmp_path) == {}
    assert done[0].out_sha256 == done[1].out_sha256
    assert (done[0].report.noise_std, done[0].report.jpeg_quality) == (0, None)
