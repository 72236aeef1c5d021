"""Georeference: the tags of a GeoTIFF that tie pixels to the ground, and how they are enlarged."""

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree as Tree

import numpy as np
from numpy.typing import NDArray

from zssr_daemon.imaging.metadata.enlargement import Enlargement

_SCALE, _TIEPOINTS, _MATRIX, _KEYS, _DOUBLES, _TEXTS = 33550, 33922, 34264, 34735, 34736, 34737
_GDAL_METADATA: Final = 42112
_RPC: Final = 50844

#: The tags that are georeference, and those that go with it.
TAGS: Final = frozenset(
    {_SCALE, _TIEPOINTS, _MATRIX, _KEYS, _DOUBLES, _TEXTS, _GDAL_METADATA, _RPC}
)

# GTRasterTypeGeoKey and its value for "a pixel is a point": (0, 0) is then the middle of the first
# pixel, else its corner. OGC 19-008r4, 7.4 and annex D.
_RASTER_TYPE, _PIXEL_IS_POINT = 1025, 2

# GDAL's items that speak of the pixels of the file they came in: values counted in it, its tiling,
# and grids laid over it.
_STALE_DOMAINS: Final = frozenset({"IMAGE_STRUCTURE", "GEOLOCATION", "RPC", "SUBDATASETS"})
_STALE_NAMES: Final = re.compile(r"STATISTICS_|RESOLUTION|PIXEL|.*_SIZE$", re.IGNORECASE)


def enlarged_georeference(
    tags: Mapping[int, Any], way: Enlargement, lost: list[str]
) -> dict[int, Any]:
    """Return the tags of a GeoTIFF for an output, so that every place stays where it is.

    What cannot be kept true is added to `lost`. Raises ValueError or IndexError for tags that are
    damaged.
    """
    shift = 0.5 if _is_point(tags) else 0.0
    to_output = _between_pixels(way.matrix, shift)
    kept = {tag: tags[tag] for tag in (_KEYS, _DOUBLES, _TEXTS) if tag in tags}
    kept |= _placed(tags, to_output, is_upright=way.is_upright())
    if _RPC in tags:
        kept |= _rational_polynomials(tags[_RPC], way, lost)
    if _GDAL_METADATA in tags:
        kept |= _gdal_items(str(tags[_GDAL_METADATA]), lost)
    return kept


def _is_point(tags: Mapping[int, Any]) -> bool:
    keys = list(tags.get(_KEYS, ()))
    entries = [keys[start : start + 4] for start in range(4, len(keys), 4)]
    return [_RASTER_TYPE, 0, 1, _PIXEL_IS_POINT] in entries


def _between_pixels(matrix: NDArray[np.float64], shift: float) -> NDArray[np.float64]:
    """Return `matrix`, of continuous positions, for positions counted from `shift` on."""
    there, back = np.eye(3), np.eye(3)
    there[:2, 2], back[:2, 2] = shift, -shift
    return back @ matrix @ there


def _placed(
    tags: Mapping[int, Any], to_output: NDArray[np.float64], *, is_upright: bool
) -> dict[int, Any]:
    """Return the tags that place the picture."""
    if _MATRIX in tags:
        return {_MATRIX: _through(np.reshape(tags[_MATRIX], (4, 4)), to_output)}
    points = np.reshape(np.array(tags.get(_TIEPOINTS, ()), float), (-1, 6)).copy()
    if _SCALE in tags and not is_upright and len(points):
        return {_MATRIX: _through(_as_matrix(points[0], tags[_SCALE]), to_output)}
    for point in points:
        point[:2] = (to_output @ (point[0], point[1], 1.0))[:2]
    kept: dict[int, Any] = {_TIEPOINTS: tuple(points.ravel().tolist())} if len(points) else {}
    if _SCALE in tags:
        wide, high, *deep = map(float, tags[_SCALE])
        kept[_SCALE] = (wide / to_output[0, 0], high / to_output[1, 1], *deep)
    return {tag: tuple(map(float, value)) for tag, value in kept.items()}


def _as_matrix(point: NDArray[np.float64], scale: Any) -> NDArray[np.float64]:
    """Return what a tie point and the size of a pixel say, as one matrix; rows run southwards."""
    wide, high, *_ = map(float, scale)
    column, row, _, x, y, z = point
    matrix = np.eye(4)
    matrix[0, 0], matrix[1, 1] = wide, -high
    matrix[:3, 3] = x - column * wide, y + row * high, z
    return matrix


def _through(matrix: NDArray[np.float64], to_output: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the matrix for positions of the output."""
    back = np.linalg.inv(to_output)
    to_source = np.eye(4)
    to_source[:2, :2], to_source[:2, 3] = back[:2, :2], back[:2, 2]
    placed: list[float] = (np.asarray(matrix, float) @ to_source).ravel().tolist()
    return tuple(placed)


def _rational_polynomials(values: Any, way: Enlargement, lost: list[str]) -> dict[int, Any]:
    """Scale offsets and scales of lines and samples, which count pixels from their middles."""
    if not way.is_upright():
        lost.append("RPC coefficients of a turned picture")
        return {}
    rpc = list(map(float, values))
    scale_x, scale_y = way.scale
    rpc[2] = (rpc[2] + 0.5) * scale_y - 0.5  # LINE_OFF
    rpc[3] = (rpc[3] + 0.5) * scale_x - 0.5  # SAMP_OFF
    rpc[7] *= scale_y  # LINE_SCALE
    rpc[8] *= scale_x  # SAMP_SCALE
    return {_RPC: tuple(rpc)}


def _gdal_items(text: str, lost: list[str]) -> dict[int, Any]:
    """Keep the items of GDAL that stay true; name the others."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        lost.append("damaged GDAL metadata")
        return {}
    try:
        root = Tree.fromstring(text.strip("\0 \n"))  # noqa: S314 (no entities: see above)
    except Tree.ParseError:
        lost.append("damaged GDAL metadata")
        return {}
    stale = [
        item
        for item in root
        if item.get("domain") in _STALE_DOMAINS or _STALE_NAMES.match(item.get("name", ""))
    ]
    if not stale:
        return {_GDAL_METADATA: text}
    lost.append(f"GDAL items ({', '.join(dict.fromkeys(i.get('name', '?') for i in stale))})")
    for item in stale:
        root.remove(item)
    return {_GDAL_METADATA: Tree.tostring(root, encoding="unicode")} if len(root) else {}
