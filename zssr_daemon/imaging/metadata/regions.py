"""Regions: faces and other parts of a picture that its XMP points at."""

import math
from collections.abc import Callable
from typing import Final
from xml.etree import ElementTree as Tree

from zssr_daemon.imaging.metadata.enlargement import Enlargement
from zssr_daemon.imaging.metadata.namespaces import (
    ACDSEE_REGIONS,
    IPTC_EXT,
    MICROSOFT_PHOTO,
    MICROSOFT_REGION,
    MWG_REGIONS,
    ST_AREA,
    ST_DIMENSIONS,
)
from zssr_daemon.imaging.metadata.xmp import Xmp

_PLACES: Final = 9  # digits behind the point


def enlarge_regions(xmp: Xmp, way: Enlargement) -> list[str]:
    """Turn and scale the regions of a packet; name the kinds that had to be struck."""
    kinds: dict[str, tuple[Callable[[Xmp, Enlargement], None], tuple[str, str]]] = {
        "face regions (MWG)": (_metadata_working_group, (MWG_REGIONS, "Regions")),
        "face regions (Microsoft)": (_microsoft, (MICROSOFT_PHOTO, "RegionInfo")),
        "image regions (IPTC)": (_iptc, (IPTC_EXT, "ImageRegion")),
    }
    lost = []
    for kind, (enlarge, name) in kinds.items():
        try:
            enlarge(xmp, way)
        except (ValueError, TypeError, KeyError):
            xmp.strike(lambda space, local, name=name: (space, local) == name)  # type: ignore[misc]
            lost.append(f"damaged {kind}")
    if not way.is_upright() and xmp.strike(lambda space, _: space == ACDSEE_REGIONS):
        lost.append("face regions (ACDSee) of a turned picture")
    return lost


def _metadata_working_group(xmp: Xmp, way: Enlargement) -> None:
    """Areas are given by their middle, in fractions of the stored picture, or in pixels."""
    for regions in xmp.elements(MWG_REGIONS, "Regions"):
        way_here = _way_of(regions, way)
        for element in regions.iter():
            x = _Value.find(element, ST_AREA, "x")
            if x is not None:
                _put_area(element, way_here)
            if _Value.find(element, ST_DIMENSIONS, "w") is not None:
                _Value.require(element, ST_DIMENSIONS, "w").put(str(way.width))
                _Value.require(element, ST_DIMENSIONS, "h").put(str(way.height))
        xmp.is_changed = True


def _way_of(regions: Tree.Element, way: Enlargement) -> Enlargement:
    """Return the way of a list of regions: some programs draw them on the picture as it is shown.

    They say so by the size that their regions apply to.
    """
    for element in regions.iter():
        width = _Value.find(element, ST_DIMENSIONS, "w")
        if width is not None and way.grid.is_transposed:
            height = _Value.require(element, ST_DIMENSIONS, "h")
            applied = width.number, height.number
            if list(applied) == list(way.grid.upright) and applied[0] != applied[1]:
                return way.as_if_upright()
    return way


def _put_area(element: Tree.Element, way: Enlargement) -> None:
    unit = _Value.find(element, ST_AREA, "unit")
    is_pixel = unit is not None and unit.text == "pixel"
    point = way.point if is_pixel else way.relative_point
    lengths = way.lengths if is_pixel else way.relative_lengths
    x, y = (_Value.require(element, ST_AREA, name) for name in "xy")
    for value, number in zip((x, y), point(x.number, y.number), strict=True):
        value.put(_written(number))
    if _Value.find(element, ST_AREA, "w") is not None:
        w, h = (_Value.require(element, ST_AREA, name) for name in "wh")
        for value, number in zip((w, h), lengths(w.number, h.number), strict=True):
            value.put(_written(number))
    diameter = _Value.find(element, ST_AREA, "d")
    if diameter is not None:  # of a circle, in fractions of the shorter side
        shorter = min(way.grid.width, way.grid.height)
        pixels = diameter.number * (1 if is_pixel else shorter) * way.scale[0]
        diameter.put(_written(pixels / (1 if is_pixel else min(way.width, way.height))))


def _microsoft(xmp: Xmp, way: Enlargement) -> None:
    """Rectangles are texts: left, top, width, height, in fractions of the stored picture."""
    for element in xmp.root.iter():
        rectangle = _Value.find(element, MICROSOFT_REGION, "Rectangle")
        if rectangle is not None:
            left, top, width, height = map(_number, rectangle.text.split(","))
            middle = way.relative_point(left + width / 2, top + height / 2)
            size = way.relative_lengths(width, height)
            corner = [middle[axis] - size[axis] / 2 for axis in (0, 1)]
            rectangle.put(", ".join(_written(number) for number in (*corner, *size)))
            xmp.is_changed = True


def _iptc(xmp: Xmp, way: Enlargement) -> None:
    """Boundaries are rectangles by their corner, circles by their middle, or polygons."""
    for element in xmp.root.iter():
        if _Value.find(element, IPTC_EXT, "rbUnit") is not None:
            _put_boundary(element, way)
            xmp.is_changed = True


def _put_boundary(element: Tree.Element, way: Enlargement) -> None:
    is_pixel = _Value.require(element, IPTC_EXT, "rbUnit").text == "pixel"
    point = way.point if is_pixel else way.relative_point
    lengths = way.lengths if is_pixel else way.relative_lengths
    if _Value.find(element, IPTC_EXT, "rbW") is not None:
        x, y, w, h = (_Value.require(element, IPTC_EXT, f"rb{name}") for name in "XYWH")
        wide, high = w.number, h.number
        middle = point(x.number + wide / 2, y.number + high / 2)
        size = lengths(wide, high)
        numbers = (middle[0] - size[0] / 2, middle[1] - size[1] / 2, *size)
        for value, number in zip((x, y, w, h), numbers, strict=True):
            value.put(_written(number))
        return
    radius = _Value.find(element, IPTC_EXT, "rbRx")
    if radius is not None:  # in fractions of the width
        pixels = radius.number * (1 if is_pixel else way.grid.width) * way.scale[0]
        radius.put(_written(pixels / (1 if is_pixel else way.width)))
    for place in element.iter():
        x_of = _Value.find(place, IPTC_EXT, "rbX")
        if x_of is not None:
            y_of = _Value.require(place, IPTC_EXT, "rbY")
            numbers_of = point(x_of.number, y_of.number)
            for value, number in zip((x_of, y_of), numbers_of, strict=True):
                value.put(_written(number))


class _Value:
    """A simple property of one element: an attribute of it, or a child."""

    def __init__(self, owner: Tree.Element, full: str, *, is_attribute: bool) -> None:
        self._owner, self._full, self._is_attribute = owner, full, is_attribute

    @classmethod
    def find(cls, owner: Tree.Element, namespace: str, name: str) -> "_Value | None":
        full = f"{{{namespace}}}{name}"
        if full in owner.attrib:
            return cls(owner, full, is_attribute=True)
        child = owner.find(full)
        return None if child is None else cls(child, full, is_attribute=False)

    @classmethod
    def require(cls, owner: Tree.Element, namespace: str, name: str) -> "_Value":
        found = cls.find(owner, namespace, name)
        if found is None:
            raise KeyError(name)
        return found

    @property
    def text(self) -> str:
        value = self._owner.get(self._full) if self._is_attribute else self._owner.text
        return (value or "").strip()

    @property
    def number(self) -> float:
        return _number(self.text)

    def put(self, value: str) -> None:
        if self._is_attribute:
            self._owner.set(self._full, value)
        else:
            self._owner.text = value


def _number(text: str) -> float:
    """Return a number that is one: XMP knows no infinity."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _written(number: float) -> str:
    """Write a number as short as its accuracy allows."""
    return f"{round(number, _PLACES):.9f}".rstrip("0").rstrip(".") or "0"
