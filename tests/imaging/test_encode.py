"""Writing images: every format, its metadata, and reading back what was written."""

import errno
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from tests.parts.colour_profiles import gamma_profile
from zssr_daemon.errors import JobError
from zssr_daemon.imaging.encode import encode
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.output_format import JPEG, PNG, TIFF, WEBP, OutputFormat
from zssr_daemon.imaging.verify import verify

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


FORMATS = [PNG, TIFF, JPEG, WEBP]


COMMENTS = {"Software": "zssr_daemon 0.1.0", "zssr": '{"scale": 2, "kernel": "bicubic"}'}


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    """Return the descriptor of a new file."""
    descriptor = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def noise(height: int = 40, width: int = 50, bands: int = 3, depth: int = 8) -> NDArray[Any]:
    """Return random samples."""
    dtype = np.uint8 if depth == 8 else np.uint16
    rng = np.random.default_rng(0)
    return rng.integers(0, 1 << depth, (height, width, bands), dtype=dtype)


def write(fd: int, samples: NDArray[Any], output: OutputFormat = PNG, **options: Any) -> list[str]:
    """Encode with defaults."""
    defaults: dict[str, Any] = {
        "output": output,
        "quality": 95,
        "metadata": ImageMetadata(),
        "comments": {},
        "on_write": lambda: None,
    }
    return encode(samples, fd, **(defaults | options))


def kinds(output: OutputFormat) -> list[tuple[int, int]]:
    """Return (bands, depth) of what a format holds."""
    bands = (1, 2, 3, 4) if output.has_alpha else (1, 3)
    return [(band, depth) for band in bands for depth in (8, 16) if depth <= output.max_depth]


KINDS = [(output, *kind) for output in FORMATS for kind in kinds(output)]


@pytest.mark.parametrize(("output", "bands", "depth"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (40, 50), (300, 7)])
def test_verify_accepts_what_encode_wrote(
    fd: int, output: OutputFormat, bands: int, depth: int, size: tuple[int, int]
) -> None:
    """Every kind of every format, of any size, is read back through the same descriptor."""
    samples = noise(*size, bands, depth)
    write(fd, samples, output, metadata=ImageMetadata(icc=SRGB if bands > 2 else None))
    verify(fd, samples, output=output, icc=SRGB if bands > 2 else None)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("keep", [True, False])
def test_metadata_is_kept_or_stripped(fd: int, output: OutputFormat, keep: bool) -> None:
    """EXIF with mended sizes, resolution and XMP stay or go; profile and parameters stay."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "An Author"
    exif[ExifTags.Base.Software] = "Camera 1.0"
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExifImageWidth: 7, ExifTags.Base.ISOSpeedRatings: 200}
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSAltitude: 12.5}
    metadata = ImageMetadata(
        icc=SRGB, exif=exif.tobytes(), dpi=(300.0, 300.0), xmp="<xmpmeta>é</xmpmeta>"
    )
    samples = noise(30, 20)
    metadata = metadata if keep else metadata.only_colour()
    write(fd, samples, output, metadata=metadata, comments=COMMENTS)
    verify(fd, samples, output=output, icc=SRGB)
    with Image.open(f"/proc/self/fd/{fd}") as picture:
        picture.load()
        info, written = picture.info, picture.getexif()
        details = written.get_ifd(ExifTags.IFD.Exif)
        gps = written.get_ifd(ExifTags.IFD.GPSInfo)
    software = info["Software"] if output is PNG else written[ExifTags.Base.Software]
    assert COMMENTS["Software"] in software
    assert COMMENTS["zssr"] in (info["zssr"] if output is PNG else software)
    assert info["icc_profile"] == SRGB
    assert (written.get(ExifTags.Base.Artist) == "An Author") is keep
    assert ("Camera 1.0" in written.get(ExifTags.Base.Software, "")) is keep
    assert (details.get(ExifTags.Base.ExifImageWidth) == 20) is keep
    assert (gps.get(ExifTags.GPS.GPSAltitude) == 12.5) is keep
    assert ("é" in (info.get("xmp") or b"").decode()) is keep
    dpi = info.get("dpi") or (written.get(ExifTags.Base.XResolution, 0),) * 2
    assert (dpi == pytest.approx((300, 300), abs=0.1)) is keep


def test_comments_are_png_text(fd: int) -> None:
    """The parameters of the run can be read by any viewer, whatever their alphabet."""
    comments = {"Software": "zssr_daemon 0.1.0", "zssr": '{"scale": 2, "kernel": "δ"}'}
    write(fd, noise(), comments=comments)
    with Image.open(f"/proc/self/fd/{fd}") as picture:
        picture.load()
        assert picture.info == comments
        assert json.loads(picture.info["zssr"])["kernel"] == "δ"


@pytest.mark.parametrize("depth", [8, 16])
def test_png_colour_chunks_are_carried_over(fd: int, depth: int) -> None:
    """Gamma and primaries say what the numbers mean; where they have no place, that is told."""
    colour = ((b"gAMA", (100_000).to_bytes(4, "big")), (b"cHRM", bytes(range(32))))
    metadata = ImageMetadata(png_colour=colour)
    assert write(fd, noise(depth=depth), metadata=metadata) == []
    data = Path(f"/proc/self/fd/{fd}").read_bytes()
    assert data.index(b"gAMA" + colour[0][1]) < data.index(b"IDAT")
    assert data.index(b"cHRM" + colour[1][1]) < data.index(b"IDAT")
    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    assert "gAMA" in write(fd, noise(depth=depth), TIFF, metadata=metadata)[0]


@pytest.mark.parametrize("xmp_chars", [10, 70_000])
def test_too_long_for_a_jpeg_is_dropped_and_told(fd: int, xmp_chars: int) -> None:
    """A segment of a JPEG holds 64 KB: longer metadata never fails the image."""
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "x" * xmp_chars
    metadata = ImageMetadata(xmp=f"<x>{'x' * xmp_chars}</x>", exif=exif.tobytes())
    notes = write(fd, noise(), JPEG, metadata=metadata, comments=COMMENTS)
    assert [note.split()[0] for note in notes] == (["EXIF"] if xmp_chars > 10 else [])
    with Image.open(f"/proc/self/fd/{fd}") as picture:
        assert COMMENTS["zssr"] in picture.getexif()[ExifTags.Base.Software]


def test_jpeg_keeps_full_colour_resolution(fd: int) -> None:
    """Chroma is not halved: that would undo what was enlarged."""
    write(fd, noise(), JPEG)
    with Image.open(f"/proc/self/fd/{fd}") as picture:
        assert [layer[1:3] for layer in picture.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


def test_quality_is_the_jpegs(tmp_path: Path) -> None:
    """A higher quality gives a larger, closer file."""
    sizes = []
    for quality in (20, 95):
        with (tmp_path / f"{quality}").open("w+b") as file:
            write(file.fileno(), noise(), JPEG, quality=quality)
            sizes.append(os.fstat(file.fileno()).st_size)
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("output", FORMATS)
def test_full_disk_is_not_the_jobs_fault(output: OutputFormat) -> None:
    """ENOSPC passes through as what it is."""
    fd = os.open("/dev/full", os.O_RDWR)
    try:
        with pytest.raises(OSError) as caught:
            write(fd, noise(200, 200), output)
    finally:
        os.close(fd)
    assert caught.value.errno == errno.ENOSPC


@pytest.mark.parametrize("output", [PNG, TIFF])
def test_writing_gives_signs_of_life_and_can_be_ended(fd: int, output: OutputFormat) -> None:
    """A picture of hundreds of megapixels takes minutes to write; a stop is heard meanwhile."""
    signs: list[None] = []
    write(fd, noise(600, 600), output, on_write=lambda: signs.append(None))
    assert len(signs) > 5

    def stop() -> None:
        raise KeyboardInterrupt

    os.ftruncate(fd, 0)
    os.lseek(fd, 0, os.SEEK_SET)
    with pytest.raises(KeyboardInterrupt):
        write(fd, noise(600, 600), output, on_write=stop)


def test_descriptor_stays_open(fd: int) -> None:
    """The caller has still to fsync it."""
    for output in FORMATS:
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        write(fd, noise(), output)
        os.fsync(fd)
        assert os.fstat(fd).st_size > 0


@pytest.mark.parametrize("output", FORMATS)
def test_equal_images_give_equal_files(tmp_path: Path, output: OutputFormat) -> None:
    """No date and no chance goes into the file."""
    contents = []
    for name in ("a", "b"):
        with (tmp_path / name).open("w+b") as file:
            write(file.fileno(), noise(), output, metadata=ImageMetadata(icc=SRGB))
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize(
    ("wrong", "icc"),
    [
        (noise(40, 51), None),
        (noise(39, 50), None),
        (noise(bands=1), None),
        (noise(bands=4), None),
        (noise(), SRGB),
    ],
)
def test_verify_refuses_another_picture(
    fd: int, output: OutputFormat, wrong: NDArray[Any], icc: bytes | None
) -> None:
    """Size, channels, alpha and profile are compared."""
    if wrong.shape[2] == 1 and output is WEBP:
        pytest.skip("WebP holds grey as RGB")
    write(fd, noise(), output)
    with pytest.raises(JobError) as caught:
        verify(fd, wrong, output=output, icc=icc)
    assert caught.value.reason == "output_invalid"


@pytest.mark.parametrize("output", [PNG, TIFF])
def test_verify_compares_depth_and_every_pixel(fd: int, output: OutputFormat) -> None:
    """One level of one channel of one pixel is noticed."""
    samples = noise(depth=16)
    write(fd, samples, output)
    verify(fd, samples, output=output, icc=None)
    for wrong in (noise(), samples.copy()):
        wrong[-1, -1, -1] ^= 1
        with pytest.raises(JobError) as caught:
            verify(fd, wrong, output=output, icc=None)
        assert caught.value.reason == "output_invalid"


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.9, 0.999])
def test_verify_refuses_half_a_file(fd: int, output: OutputFormat, part: float) -> None:
    """Every pixel must be there, and the end too."""
    write(fd, noise(), output)
    os.ftruncate(fd, int(os.fstat(fd).st_size * part))
    with pytest.raises(JobError) as caught:
        verify(fd, noise(), output=output, icc=None)
    assert caught.value.reason == "output_invalid"


@pytest.mark.parametrize("output", FORMATS)
def test_verify_has_no_limit_of_pixels(
    fd: int, output: OutputFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow's bomb limit is about files of others: our own output may have 400 megapixels."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40 * 50 // 3)
    write(fd, noise(), output)
    verify(fd, noise(), output=output, icc=None)
    assert Image.MAX_IMAGE_PIXELS == 40 * 50 // 3


@pytest.mark.parametrize("output", [PNG, TIFF])
def test_verify_refuses_damage(fd: int, output: OutputFormat) -> None:
    """A byte that rotted on its way to the disk is noticed."""
    write(fd, noise(), output)
    os.pwrite(fd, bytes(50), os.fstat(fd).st_size // 2)
    with pytest.raises(JobError) as caught:
        verify(fd, noise(), output=output, icc=None)
    assert caught.value.reason == "output_invalid"


def test_grey_profile_in_webp_becomes_srgb(fd: int, tmp_path: Path) -> None:
    """WebP has no grey: the numbers go through the profile, and look the same."""
    samples = noise(bands=1)
    grey = Image.fromarray(samples[:, :, 0])
    profile = ImageCms.ImageCmsProfile(io.BytesIO(gamma_profile()))
    srgb = ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(grey, profile, srgb, outputMode="RGB")
    write(fd, samples, WEBP, metadata=ImageMetadata(icc=gamma_profile()))
    with Image.open(f"/proc/self/fd/{fd}") as picture:
        assert picture.info["icc_profile"][16:20] == b"RGB "
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(expected))


@pytest.mark.parametrize(("output", "side"), [(JPEG, 65_500), (WEBP, 16_383)])
def test_longest_side_can_be_written(fd: int, output: OutputFormat, side: int) -> None:
    """The limits are the encoders' own."""
    samples = noise(1, side)
    write(fd, samples, output)
    verify(fd, samples, output=output, icc=None)
    with pytest.raises((OSError, ValueError)):
        write(fd, noise(1, side + 1), output)
