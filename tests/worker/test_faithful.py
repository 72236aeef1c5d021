"""Faithful: what goes in comes out of gate and worker with its mode, depth, colour and metadata.

The table of docs/images.md is what these tests find.
"""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms

from tests.parts.kinds import KINDS, WIDE, XMP, deep, pillow
from tests.parts.metadata_files import PQ, chunked_png
from tests.parts.picture_files import (
    decode_path,
    deep_file,
    page,
    png_chunk,
)
from tests.parts.tiny_settings import TINY
from zssr_daemon.errors import ImageError
from zssr_daemon.imaging.decode import inspect
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.inbox.probe import ProbeRequest, examine
from zssr_daemon.protocol.messages import WorkDone, WorkOrder
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file
from zssr_daemon.zssr.config import ZSSRConfig

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "images.md"

LIMITS = ImageLimits(max_file_bytes=10**7, max_input_pixels=10**6)

#: The network is off where there is nothing to learn: at a scale this near to 1 bicubic rebuilds
#: any image from its own son, and the guard says so before the first iteration.
IDENTITY = replace(TINY, scale_factor=1 + 1e-9)

ENLARGER = Enlarger("cpu", 1)


def rules(setting: str = "png", *, keeps_metadata: bool = True) -> OutputRules:
    """Return what is asked of an output."""
    return OutputRules(setting=setting, quality=95, keeps_metadata=keeps_metadata, max_pixels=10**7)


def enlarge(path: Path, config: ZSSRConfig = TINY, output: OutputRules | None = None) -> WorkDone:
    """Take a file through the gate and the worker; the result is `out` beside it."""
    request = ProbeRequest(root=str(path.parent), rel_path=path.name)
    result = examine(request, LIMITS, inspect)
    assert result.reason is None, result
    assert result.identity is not None
    order = WorkOrder(
        job_id="job",
        inbox=str(path.parent),
        src_rel=path.name,
        identity=result.identity,
        part=str(path.with_name("out")),
        config=config,
        limits=LIMITS,
        output=output or rules(),
        weights_folder=None,
    )
    return enlarge_file(ENLARGER, order, lambda _: None)


def row(kind: str, path: Path, done: WorkDone) -> str:
    """Describe the output as a row of the table."""
    image = decode_path(path.with_name("out"))
    before = decode_path(path)
    mode = {1: "grey", 3: "RGB"}[image.info.channels] + (" + alpha" if image.info.has_alpha else "")
    profile = "–"
    if image.metadata.icc is not None:
        is_kept = image.metadata.icc == _source_profile(path)
        profile = "kept" if is_kept else "sRGB"
    names = {"exif": "EXIF", "dpi": "resolution", "xmp": "XMP"}
    kept = [names[key] for key in names if getattr(image.metadata, key) is not None]
    assert kept == [names[key] for key in names if getattr(before.metadata, key) is not None]
    return f"| {kind} | {mode} | {image.info.bit_depth} | {profile} | {', '.join(kept) or '–'} |"


def _source_profile(path: Path) -> bytes | None:
    if pillow_heif.is_supported(path):
        kept: bytes | None = pillow_heif.open_heif(path).info.get("icc_profile")
        return kept
    with Image.open(path) as picture:
        profile: bytes | None = picture.info.get("icc_profile")
    return profile


def table() -> list[str]:
    """Return the rows of the document's table."""
    text = DOCUMENT.read_text()
    (found,) = re.findall(r"\| input \|.*\n\|[-| ]+\|\n((?:\|.*\n)+)", text)
    return str(found).splitlines()


def test_table_of_the_document_names_these_kinds() -> None:
    """No row is missing, none is left over."""
    assert [line.split("|")[1].strip() for line in table()] == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_table_of_the_document_is_what_comes_out(tmp_path: Path, kind: str) -> None:
    """Each row is true of a file of that kind, and the output is twice as large."""
    path = tmp_path / "source"
    KINDS[kind](path)
    done = enlarge(path)
    assert (done.report.out_width, done.report.out_height) == (40, 30)
    assert row(kind, path, done) in table()


@pytest.mark.parametrize("setting", ["png", "tiff", "jpeg", "webp"])
def test_strip_leaves_the_profile_and_our_own_parameters(tmp_path: Path, setting: str) -> None:
    """`metadata = "strip"`: no EXIF of the source, no resolution, no XMP, in any format."""
    path = tmp_path / "source"
    KINDS["JPEG, RGB"](path)
    enlarge(path, output=rules(setting, keeps_metadata=False))
    metadata = decode_path(tmp_path / "out").metadata
    assert (metadata.icc, metadata.dpi, metadata.xmp) == (WIDE, None, None)
    data = (tmp_path / "out").read_bytes()
    assert b"An Author" not in data
    for word in (b"zssr_daemon", b'"preset"', b'"scale_factor"', b'"seed"'):
        assert word in data


def looks(path: Path) -> NDArray[np.uint8]:
    """Return what a colour-managed viewer shows: RGB pixels in sRGB."""
    srgb = ImageCms.createProfile("sRGB")
    with Image.open(path) as picture:
        plain = picture if picture.mode in {"L", "RGB", "CMYK"} else picture.convert("RGB")
        icc = picture.info.get("icc_profile")
        if icc is None:
            return np.asarray(plain.convert("RGB"))
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        shown = ImageCms.profileToProfile(plain, profile, srgb, outputMode="RGB")
    assert shown is not None
    return np.asarray(shown)


@pytest.mark.parametrize("setting", ["png", "tiff", "jpeg", "webp"])
@pytest.mark.parametrize(
    "kind",
    [
        "PNG, grey",
        "PNG, RGB",
        "JPEG, RGB",
        "JPEG, CMYK with profile",
        "TIFF, RGB, LZW",
        "WebP, RGB",
    ],
)
def test_colours_look_the_same(tmp_path: Path, kind: str, setting: str) -> None:
    """Both taken to sRGB, source and output show the same colours, in every format."""
    path = tmp_path / "source"
    KINDS[kind](path)
    enlarge(path, IDENTITY, rules(setting))
    difference = looks(path).astype(int) - looks(tmp_path / "out")
    assert np.abs(difference).mean() < (2 if setting == "jpeg" else 0.5)


@pytest.mark.parametrize("depth", [8, 16])
def test_gamma_of_a_png_is_kept(tmp_path: Path, depth: int) -> None:
    """Where no profile says what the numbers mean, gAMA and cHRM do."""
    colour = ((b"gAMA", (100_000).to_bytes(4, "big")), (b"cHRM", bytes(range(32))))
    path = tmp_path / "source"
    (pillow("RGB", "png") if depth == 8 else deep(3, "png"))(path)
    data = path.read_bytes()
    chunks = b"".join(png_chunk(name, content) for name, content in colour)
    path.write_bytes(data[:33] + chunks + data[33:])
    enlarge(path)
    assert decode_path(tmp_path / "out").metadata.png_colour == colour
    done = enlarge(path, output=rules("tiff"))
    assert done.report.note is not None
    assert "gAMA" in done.report.note


def test_hdr_is_kept_by_a_png_and_refused_by_others(tmp_path: Path) -> None:
    """PQ said by cICP stays said; a format that cannot say it gets no picture of it."""
    path = tmp_path / "source"
    path.write_bytes(chunked_png(PQ))
    enlarge(path)
    assert decode_path(tmp_path / "out").metadata.png_colour == (PQ,)
    with pytest.raises(ImageError) as caught:
        enlarge(path, output=rules("jpeg"))
    assert caught.value.reason == "output_without_hdr"


def test_a_shallower_format_is_the_users_right_and_told(tmp_path: Path) -> None:
    """16 bits written as JPEG: done, with a note in the log."""
    path = tmp_path / "source"
    deep(3, "png")(path)
    done = enlarge(path, output=rules("jpeg"))
    assert done.suffix == ".jpg"
    assert done.report.note == "16 bits a channel cut to 8"


SHAPES = st.tuples(st.integers(1, 24), st.integers(1, 24))


def random_file(path: Path, size: tuple[int, int], bands: int, depth: int, suffix: str) -> Any:
    """Write random levels, hidden ones excepted, and return them."""
    dtype = np.uint8 if depth == 8 else np.uint16
    rng = np.random.default_rng(size[0] * 31 + size[1])
    pixels: NDArray[Any] = np.asarray(rng.integers(0, 1 << depth, (*size, bands), dtype=dtype))
    if bands in {2, 4}:
        pixels[..., -1] |= 1
    if depth == 16:
        deep_file(path, pixels, is_tiff=suffix == "tif")
    else:
        picture = Image.fromarray(pixels[..., 0] if bands == 1 else pixels)
        picture.save(path, {"tif": "TIFF", "png": "PNG"}[suffix])
    return pixels


def read_back(path: Path, suffix: str) -> NDArray[Any]:
    """Return the samples of an output as libvips reads them."""
    data = path.read_bytes()
    load = pyvips.Image.tiffload_buffer if suffix == "tif" else pyvips.Image.pngload_buffer
    return np.atleast_3d(load(data).numpy())


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=SHAPES,
    bands=st.integers(1, 4),
    depth=st.sampled_from([8, 16]),
    suffix=st.sampled_from(["png", "tif"]),
)
def test_with_the_network_off_pixels_are_equal(
    tmp_path: Path, size: tuple[int, int], bands: int, depth: int, suffix: str
) -> None:
    """Through gate, decoder, pipeline and encoder nothing is changed that the network does not."""
    path = tmp_path / "source"
    pixels = random_file(path, size, bands, depth, suffix)
    done = enlarge(path, IDENTITY, rules("same"))
    assert done.report.iterations == 0
    assert done.report.is_fallback
    back = read_back(tmp_path / "out", suffix)
    assert back.dtype == pixels.dtype
    np.testing.assert_array_equal(back, pixels)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=SHAPES,
    bands=st.integers(1, 4),
    depth=st.sampled_from([8, 16]),
    suffix=st.sampled_from(["png", "tif"]),
    scale=st.sampled_from([2.0, 1.5, 3.0, 1.37, (1.0, 2.0)]),
)
def test_mode_depth_and_scaled_size_are_kept(  # noqa: PLR0917 (hypothesis draws them)
    tmp_path: Path,
    size: tuple[int, int],
    bands: int,
    depth: int,
    suffix: str,
    scale: float | tuple[float, float],
) -> None:
    """Any array of any size, any mode and depth: enlarged it is of the same kind."""
    path = tmp_path / "source"
    pixels = random_file(path, size, bands, depth, suffix)
    config = replace(TINY, scale_factor=scale)
    enlarge(path, config, rules("same"))
    back = read_back(tmp_path / "out", suffix)
    x, y = scale if isinstance(scale, tuple) else (scale, scale)
    rounded = [max(1, int(side * factor + 0.5)) for side, factor in zip(size, (y, x), strict=True)]
    assert back.shape == (*rounded, bands)
    assert back.dtype == pixels.dtype


def test_16_bit_gradient_keeps_its_levels_through_the_worker(tmp_path: Path) -> None:
    """More than 256 levels in each channel, in and out."""
    ramp = np.linspace(0, 65535, 60 * 80).astype(np.uint16).reshape(60, 80)
    pixels = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2)
    deep_file(tmp_path / "source", pixels)
    enlarge(tmp_path / "source")
    back = read_back(tmp_path / "out", "png")
    assert min(len(np.unique(back[..., channel])) for channel in range(3)) > 256 * 8


@pytest.mark.parametrize("extra", [(1,), (2,)])
def test_deep_grey_with_alpha_of_both_kinds(tmp_path: Path, extra: tuple[int, ...]) -> None:
    """A TIFF that Pillow cannot even name."""
    pixels = np.array([30000, 40000, 20000, 65535], "<u2").tobytes()
    (tmp_path / "source").write_bytes(page(1, (16, 16), pixels, extra=extra))
    enlarge(tmp_path / "source", IDENTITY)
    back = read_back(tmp_path / "out", "png")[0].astype(int)
    colour = 30000 if extra == (2,) else 30000 * 65535 // 40000
    assert np.abs(back - [[colour, 40000], [20000, 65535]]).max() <= 1


def test_metadata_stays_with_every_format(tmp_path: Path) -> None:
    """What a JPEG carries is found again in each output."""
    path = tmp_path / "source"
    KINDS["JPEG, RGB"](path)
    for setting in ("png", "tiff", "jpeg", "webp", "same"):
        enlarge(path, output=rules(setting))
        metadata = decode_path(tmp_path / "out").metadata
        assert metadata.icc == WIDE
        assert metadata.xmp == XMP.decode()
        assert b"An Author" in (metadata.exif or b"")
        if setting != "webp":  # there it stands in the EXIF
            assert metadata.dpi == pytest.approx((300, 300), abs=0.1)
