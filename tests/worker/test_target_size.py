"""Outputs with a size of their own: exact for each page, and a print says its resolution."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tests.parts.picture_files import decode_path, smooth_picture
from tests.parts.tiny_settings import TINY
from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.imaging.formats import ImageLimits
from zssr_daemon.imaging.output_format import OutputRules
from zssr_daemon.protocol.attempt_files import frame_part, part_rel
from zssr_daemon.protocol.messages import WorkDone, WorkOrder
from zssr_daemon.system.file_identity import FileIdentity
from zssr_daemon.worker.enlarger import Enlarger
from zssr_daemon.worker.frames import enlarge_file

ENLARGER = Enlarger("cpu", 1)
LIMITS = ImageLimits(max_file_bytes=10**7, max_input_pixels=10**6, each_frame=True)

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:XResolution="72/1" tiff:YResolution="72/1" '
    b'tiff:ResolutionUnit="3"/></rdf:RDF></x:xmpmeta>'
)


def enlarge(path: Path, target: str, setting: str = "png", *, keeps: bool = True) -> WorkDone:
    """Enlarge a file to a size, into a part beside it."""
    order = WorkOrder(
        job_id="job",
        inbox=str(path.parent),
        src_rel=path.name,
        identity=FileIdentity.from_stat(path.stat()),
        part=str(part_of(path)),
        config=replace(TINY, target=target),
        limits=LIMITS,
        output=OutputRules(setting=setting, quality=95, keeps_metadata=keeps, max_pixels=10**7),
        weights_folder=None,
    )
    return enlarge_file(ENLARGER, order, lambda _: None)


def part_of(path: Path) -> Path:
    """Return where the last frame of a file is written."""
    return path.with_name(part_rel("", "0" * 32, 1))


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("setting", ["png", "tiff", "jpeg", "webp"])
def test_print_says_its_resolution(tmp_path: Path, setting: str, keeps: bool) -> None:
    """Whatever the source said, everywhere it said it; a program prints it at the asked size."""
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 72.0
    exif[ExifTags.Base.ResolutionUnit] = 3
    path = tmp_path / "a.jpg"
    smooth_picture(40, 24).save(path, exif=exif, dpi=(72, 72), xmp=XMP)
    enlarge(path, "100dpi@2x2.54cm", setting, keeps=keeps)
    image = decode_path(part_of(path), LIMITS)
    assert (image.info.width, image.info.height) == (100, 60)
    if setting != "webp":  # has no place but EXIF
        assert image.metadata.dpi == pytest.approx((100, 100), abs=0.01)
    with Image.open(part_of(path)) as picture:
        told = picture.getexif()
        if keeps or setting == "webp":
            assert told[ExifTags.Base.XResolution] == told[ExifTags.Base.YResolution] == 100
            assert told[ExifTags.Base.ResolutionUnit] == 2
    if keeps:
        assert image.metadata.xmp is not None
        assert image.metadata.xmp.count('Resolution="100/1"') == 2
        assert 'tiff:ResolutionUnit="2"' in image.metadata.xmp


def test_output_tells_size_and_factor(tmp_path: Path) -> None:
    """Among the parameters, with the factor in full."""
    path = tmp_path / "a.png"
    smooth_picture(30, 20).save(path)
    report = enlarge(path, "long:71").report
    assert (report.out_width, report.out_height) == (71, 47)
    with Image.open(part_of(path)) as picture:
        told = json.loads(picture.info["zssr"])
    assert (told["target"], told["scale_factor"]) == ("long:71", 71 / 30)


def test_each_page_has_its_own_factor(tmp_path: Path) -> None:
    """All reach the size, from whatever size they come."""
    path = tmp_path / "a.tif"
    pages = [smooth_picture(*size) for size in ((30, 20), (17, 29))]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    enlarge(path, "long:40")
    parts = [Path(frame_part(str(part_of(path)), 0)), part_of(path)]
    sizes = [decode_path(part, LIMITS).info for part in parts]
    assert [(info.width, info.height) for info in sizes] == [(40, 27), (23, 40)]


def test_page_that_needs_an_impossible_factor(tmp_path: Path) -> None:
    """It fails the file by its settings, and says why."""
    path = tmp_path / "a.tif"
    pages = [smooth_picture(*size) for size in ((30, 20), (40, 20))]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(ImageSettingsError, match="40 x 20 pixels needs a factor of 1: must"):
        enlarge(path, "long:40")
    assert os.path.lexists(frame_part(str(part_of(path)), 0))  # the caller removes it
