"""Microscope: sizes that microscopes' programs write into the description of a TIFF."""

import json
import re
from typing import Any, Final
from xml.etree import ElementTree as Tree

from zssr_daemon.imaging.metadata.enlargement import Enlargement

_OME: Final = "http://www.openmicroscopy.org/Schemas/OME/"

# Lines of ImageJ that describe a stack; the output is one picture of it.
_STACK_LINES: Final = (
    "images=",
    "channels=",
    "slices=",
    "frames=",
    "hyperstack=",
    "mode=",
    "loop=",
)

# Descriptions whose numbers nobody but their program can put right.
_FOREIGN: Final = {
    "Aperio": re.compile(r"Aperio"),
    "SCIFIO": re.compile(r"SCIFIO="),
    "MetaMorph": re.compile(r"\s*<MetaData>"),
    "Leica": re.compile(r"\s*(<\?xml[^>]*>\s*)?<scn\b"),
}


def is_calibrated(description: str) -> bool:
    """Tell whether the resolution of the file that bears a description measures what it shows.

    It is then no matter of print: pixels an inch, centimetre or micrometre grow with the scale.
    """
    return description.startswith("ImageJ=") or _OME in description


def enlarged_description(
    description: str, way: Enlargement, pages: int, lost: list[str]
) -> str | None:
    """Return a description that is true of the output, or None where none is left."""
    for program, pattern in _FOREIGN.items():
        if pattern.match(description):
            lost.append(f"image description of {program} (it states sizes)")
            return None
    if description.startswith("ImageJ="):
        return _image_j(description, pages, lost)
    if description.startswith("{") and '"shape"' in description:
        return _shaped(description)
    if _OME in description:
        return _open_microscopy(description, way, lost)
    return description


def _image_j(description: str, pages: int, lost: list[str]) -> str:
    """Take out the lines that say what a stack is made of."""
    lines = description.splitlines(keepends=True)
    stack = [line for line in lines if line.startswith(_STACK_LINES)]
    for line in stack:
        if line.startswith("images=") and _number(line) > pages:
            lost.append(f"images 2 to {_number(line)} of the ImageJ stack (they are no pages)")
    return "".join(line for line in lines if line not in stack)


def _number(line: str) -> int:
    value = line.partition("=")[2].strip()
    return int(value) if value.isdigit() else 0


def _shaped(description: str) -> str | None:
    """Leave out the shape of the array: the output's header says it."""
    try:
        content = json.loads(description)
    except ValueError:
        return description
    rest = {key: value for key, value in content.items() if key != "shape"}
    return json.dumps(rest) if rest else None


def _open_microscopy(description: str, way: Enlargement, lost: list[str]) -> str | None:
    """Rewrite sizes and the place of the picture in OME-XML; regions of interest are dropped."""
    try:
        if "<!DOCTYPE" in description or "<!ENTITY" in description:
            raise ValueError("a document type")
        root = Tree.fromstring(description.strip("\0 \n"))  # noqa: S314 (no entities: see above)
    except (Tree.ParseError, ValueError):
        lost.append("damaged OME-XML")
        return None
    namespace = root.tag.partition("}")[0] + "}"
    images = root.findall(f"{namespace}Image")
    pixels = root.findall(f"{namespace}Image/{namespace}Pixels")
    if len(images) != 1 or len(pixels) != 1:
        lost.append(f"OME-XML of {len(images)} images")
        return None
    for element in root.findall(f"{namespace}ROI"):
        root.remove(element)
        lost.append("regions of interest (OME)")
    for element in images[0].findall(f"{namespace}ROIRef"):
        images[0].remove(element)
    root.attrib.pop("UUID", None)  # of the file
    _put_pixels(pixels[0], namespace, way, lost)
    Tree.register_namespace("", namespace.strip("{}"))
    return '<?xml version="1.0" encoding="UTF-8"?>' + Tree.tostring(root, encoding="unicode")


def _put_pixels(pixels: Tree.Element, namespace: str, way: Enlargement, lost: list[str]) -> None:
    """Describe one picture of the output's size."""
    if way.grid.is_transposed:
        for name in ("PhysicalSize{}", "PhysicalSize{}Unit"):
            _swap(pixels, name.format("X"), name.format("Y"))
    pixels.set("SizeX", str(way.width))
    pixels.set("SizeY", str(way.height))
    for name, factor in zip(("PhysicalSizeX", "PhysicalSizeY"), way.scale, strict=True):
        if name in pixels.attrib:
            pixels.set(name, repr(float(pixels.attrib[name]) / factor))
    planes = [int(pixels.get(f"Size{axis}", "1")) for axis in "ZT"]
    if max(planes) > 1:
        lost.append("OME's order of planes")
    for axis in "ZT":
        pixels.set(f"Size{axis}", "1")
    for kind in ("TiffData", "Plane", "BinData"):
        for element in pixels.findall(f"{namespace}{kind}"):
            pixels.remove(element)
    data = Tree.Element(f"{namespace}TiffData", {"IFD": "0", "PlaneCount": "1"})
    channels = len(pixels.findall(f"{namespace}Channel"))
    pixels.insert(channels, data)


def _swap(element: Tree.Element, first: str, second: str) -> None:
    values: list[Any] = [element.get(second), element.get(first)]
    for name, value in zip((first, second), values, strict=True):
        if value is None:
            element.attrib.pop(name, None)
        else:
            element.set(name, value)
