"""Regions: faces stay on their faces, however the picture was turned and enlarged."""

import re

import numpy as np
import pytest

from tests.parts.metadata_files import HEIGHT, MWG, WIDTH, face_packet, packet
from zssr_daemon.imaging.metadata.enlargement import Enlargement, Grid
from zssr_daemon.imaging.metadata.regions import enlarge_regions
from zssr_daemon.imaging.metadata.xmp import Xmp
from zssr_daemon.imaging.samples.decoded import upright

IPTC = {"Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"}


def way(orientation: int) -> Enlargement:
    """Return the way of a picture enlarged twice."""
    grid = Grid(width=WIDTH, height=HEIGHT, orientation=orientation)
    width, height = grid.upright
    return Enlargement(grid=grid, scale=(2.0, 2.0), width=2 * width, height=2 * height)


def expected(orientation: int) -> tuple[float, float, float, float]:
    """Return the middle and size of the packet's face, from pixels that are turned: fractions."""
    stored = np.zeros((100, 100, 1), np.uint8)
    stored[35:65, 15:35] = 1
    rows, columns, _ = np.nonzero(upright(stored, orientation))
    wide, high = np.ptp(columns) + 1, np.ptp(rows) + 1
    middle_x, middle_y = columns.min() + wide / 2, rows.min() + high / 2
    return middle_x / 100, middle_y / 100, wide / 100, high / 100


def numbers(text: str, prefix: str) -> list[float]:
    """Return x, y, w and h of an area."""
    found = dict(re.findall(rf'{prefix}([xywhXYWH])="([^"]+)"', text))
    return [float(found[name]) for name in found]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_faces_are_turned(orientation: int) -> None:
    """Both schemas give fractions of the stored picture, one by the middle, one by the corner."""
    xmp = Xmp(face_packet().decode())
    assert enlarge_regions(xmp, way(orientation)) == []
    text = xmp.text()
    x, y, w, h = expected(orientation)
    assert numbers(text, "stArea:") == pytest.approx([x, y, w, h])
    (rectangle,) = re.findall(r'MPReg:Rectangle="([^"]+)"', text)
    left, top, *size = map(float, rectangle.split(","))
    assert (left, top, *size) == pytest.approx((x - w / 2, y - h / 2, w, h))
    here = way(orientation)
    assert f'stDim:w="{here.width}" stDim:h="{here.height}"' in text


def test_faces_drawn_on_the_shown_picture_are_not_turned_again() -> None:
    """The size that regions apply to tells which picture they were drawn on."""
    xmp = Xmp(face_packet(applied=(HEIGHT, WIDTH)).decode())
    enlarge_regions(xmp, way(6))
    assert numbers(xmp.text(), "stArea:") == pytest.approx([0.25, 0.5, 0.2, 0.3])


def test_areas_in_pixels_are_scaled() -> None:
    """A unit of pixels grows with the picture."""
    area = '<mwg-rs:Area stArea:x="6" stArea:y="9" stArea:w="4" stArea:h="2" stArea:unit="pixel"/>'
    inner = f"<mwg-rs:Regions><rdf:li>{area}</rdf:li></mwg-rs:Regions>"
    xmp = Xmp(packet(MWG, "", inner).decode())
    assert enlarge_regions(xmp, way(6)) == []
    assert numbers(xmp.text(), "stArea:") == [(HEIGHT - 9) * 2, 12, 4, 8]


@pytest.mark.parametrize("unit", ["relative", "pixel"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_regions_of_iptc(unit: str, orientation: int) -> None:
    """Rectangles by their corner, circles by their middle, polygons by their points."""
    across, down = (1.0, 1.0) if unit == "relative" else (WIDTH, HEIGHT)

    def boundary(**values: float) -> str:
        told = " ".join(f'Iptc4xmpExt:rb{name}="{value}"' for name, value in values.items())
        return f'<Iptc4xmpExt:RegionBoundary Iptc4xmpExt:rbUnit="{unit}" {told}/>'

    box = boundary(X=0.25 * across, Y=0.5 * down, W=0.5 * across, H=0.25 * down)
    circle = boundary(X=0.25 * across, Y=0.5 * down, Rx=0.125 * across)
    inner = f"<Iptc4xmpExt:ImageRegion>{box}{circle}</Iptc4xmpExt:ImageRegion>"
    xmp = Xmp(packet(IPTC, "", inner).decode())
    assert enlarge_regions(xmp, way(orientation)) == []
    first, second = xmp.elements(IPTC["Iptc4xmpExt"], "RegionBoundary")
    here = way(orientation)
    wide, high = (1.0, 1.0) if unit == "relative" else (here.width, here.height)

    def told(element: object, names: str) -> list[float]:
        found = element.attrib  # type: ignore[attr-defined]
        return [float(found[f"{{{IPTC['Iptc4xmpExt']}}}rb{name}"]) for name in names.split()]

    rectangle = [0.25, 0.5, 0.5, 0.25] if orientation == 1 else [0.25, 0.25, 0.25, 0.5]
    sides = [wide, high, wide, high]
    assert told(first, "X Y W H") == pytest.approx(
        [part * side for part, side in zip(rectangle, sides, strict=True)]
    )
    middle = [0.25, 0.5] if orientation == 1 else [0.5, 0.25]
    radius = 0.125 * WIDTH * 2 / (here.width if unit == "relative" else 1)
    assert told(second, "X Y Rx") == pytest.approx([middle[0] * wide, middle[1] * high, radius])


@pytest.mark.parametrize("bad", ['stArea:x="left"', 'stArea:x="1e999"', "stArea:nothing='1'"])
def test_damaged_regions_are_struck_and_named(bad: str) -> None:
    """A face nobody can place is none."""
    xmp = Xmp(face_packet().decode().replace('stArea:x="0.25"', bad))
    lost = enlarge_regions(xmp, way(1))
    is_gone = "mwg-rs:Area" not in xmp.text()
    assert (lost == ["damaged face regions (MWG)"]) is is_gone
    assert is_gone is ("nothing" not in bad)
