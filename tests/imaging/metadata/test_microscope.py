"""Microscopes' descriptions: what is measured in pixels grows with them."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest
from PIL import Image

from tests.parts.metadata_files import HEIGHT, WIDTH, image_j, open_microscopy, shaped, tiff_bytes
from tests.parts.picture_files import decode_path
from tests.worker.test_faithful import enlarge, rules

OME = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def output(path: Path, data: bytes, setting: str = "tiff") -> tuple[Image.Image, str | None]:
    """Return the output of a source, and the note."""
    path.write_bytes(data)
    note = enlarge(path, output=rules(setting)).report.note
    return Image.open(io.BytesIO(path.with_name("out").read_bytes())), note


def test_calibration_of_imagej_grows(tmp_path: Path) -> None:
    """10 pixels a micrometre are 20 when each is cut in two; the stack's lines are gone."""
    picture, note = output(tmp_path / "a", image_j())
    tags = picture.getexif()
    assert (tags[282], tags[283], tags[296]) == (20, 20, 1)
    assert tags[270] == "ImageJ=1.53t\nunit=\\u00B5m\nmin=0.0\nmax=255.0\n"
    assert note is None


def test_unit_of_imagej_stays(tmp_path: Path) -> None:
    """The description says centimetres, so the tags must not count by the inch."""
    data = tiff_bytes({270: "ImageJ=1.53t\nunit=cm\n", 282: 10.0, 283: 10.0, 296: 3})
    tags = output(tmp_path / "a", data)[0].getexif()
    assert [float(tags[tag]) for tag in (282, 283, 296)] == pytest.approx([20, 20, 3])


@pytest.mark.parametrize("setting", ["png", "jpeg", "webp", "tiff"])
@pytest.mark.parametrize("dpi", [0.01, 70_000.0, 1e8])
def test_any_resolution_has_a_place(tmp_path: Path, setting: str, dpi: float) -> None:
    """A field of 16 bits would say something else; the EXIF says it."""
    data = tiff_bytes({282: dpi, 283: dpi, 296: 2}, "RGB")
    picture, note = output(tmp_path / "a", data, setting)
    tags = picture.getexif()
    stated = float(tags[282]) if 282 in tags else picture.info["dpi"][0]
    assert stated == pytest.approx(dpi, rel=1e-3)
    assert note is None


def test_print_resolution_stays(tmp_path: Path) -> None:
    """Dots an inch of a print are those of the printer: the print becomes larger."""
    picture, _ = output(tmp_path / "a", tiff_bytes({282: 300.0, 283: 300.0, 296: 2}))
    assert picture.info["dpi"] == pytest.approx((300, 300))


@pytest.mark.parametrize("setting", ["png", "jpeg", "webp", "tiff"])
def test_resolution_without_a_unit_is_kept(tmp_path: Path, setting: str) -> None:
    """Without a unit the numbers are a shape of pixels, and stay."""
    picture, note = output(tmp_path / "a", tiff_bytes({282: 2.0, 283: 1.0, 296: 1}, "RGB"), setting)
    tags = picture.getexif()
    assert (tags[282], tags[283], tags[296]) == (2, 1, 1)
    assert note is None


def test_stack_that_is_no_pages_is_named(tmp_path: Path) -> None:
    """ImageJ writes large stacks as one page with the other images behind it."""
    _, note = output(tmp_path / "a", tiff_bytes({270: "ImageJ=1.53t\nimages=9\nslices=9\n"}))
    assert note == "not kept: images 2 to 9 of the ImageJ stack (they are no pages)"


@pytest.mark.parametrize("orientation", [1, 6])
def test_sizes_of_ome(tmp_path: Path, orientation: int) -> None:
    """SizeX and SizeY are the output's, a pixel is half as large, and turns with the picture."""
    description = open_microscopy_text()
    data = tiff_bytes({270: description, 274: orientation})
    picture, note = output(tmp_path / "a", data)
    pixels = Tree.fromstring(picture.getexif()[270]).find(f"{OME}Image/{OME}Pixels")
    assert pixels is not None
    across, down = (0.05, 0.1) if orientation == 1 else (0.1, 0.05)
    assert (int(pixels.attrib["SizeX"]), int(pixels.attrib["SizeY"])) == picture.size
    assert float(pixels.attrib["PhysicalSizeX"]) == across
    assert float(pixels.attrib["PhysicalSizeY"]) == down
    assert [child.attrib for child in pixels] == [{"IFD": "0", "PlaneCount": "1"}]
    assert note is None


def open_microscopy_text() -> str:
    """Return the OME-XML of the example."""
    with Image.open(io.BytesIO(open_microscopy())) as picture:
        return str(picture.getexif()[270])


def test_regions_of_interest_are_named(tmp_path: Path) -> None:
    """They are drawn in pixels of the source."""
    text = open_microscopy_text().replace("</OME>", '<ROI ID="ROI:0"/></OME>')
    picture, note = output(tmp_path / "a", tiff_bytes({270: text}))
    assert "ROI" not in picture.getexif()[270]
    assert note == "not kept: regions of interest (OME)"


@pytest.mark.parametrize(
    ("description", "words"),
    [
        ("Aperio Image Library v11\r\n24x18 (240x240)|MPP = 0.25", "Aperio"),
        ("SCIFIO=1\naxes=X,Y\nlengths=24,18\n", "SCIFIO"),
        (open_microscopy_text()[:-9], "damaged OME-XML"),
        (open_microscopy_text().replace("<Image ", "<Image/><Image "), "OME-XML of 2 images"),
    ],
)
def test_descriptions_that_cannot_be_put_right_are_named(
    tmp_path: Path, description: str, words: str
) -> None:
    """A false size is worse than none."""
    picture, note = output(tmp_path / "a", tiff_bytes({270: description}))
    assert 270 not in picture.getexif()
    assert note is not None
    assert words in note


def test_shape_of_an_array_is_left_out(tmp_path: Path) -> None:
    """The header says it; the rest stays."""
    picture, note = output(tmp_path / "a", shaped())
    assert json.loads(picture.getexif()[270]) == {"who": "me"}
    assert note is None


def test_plain_descriptions_stay(tmp_path: Path) -> None:
    """What people write is theirs."""
    picture, note = output(tmp_path / "a", tiff_bytes({270: f"{WIDTH} x {HEIGHT} flowers"}))
    assert picture.getexif()[270] == f"{WIDTH} x {HEIGHT} flowers"
    assert note is None
    assert decode_path(tmp_path / "out").info.width == 2 * WIDTH
