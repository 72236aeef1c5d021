"""IccWriter: a profile from the place of the primaries and the curve that the numbers follow."""

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

# The white that all profiles are relative to, and the matrix to and from cones in which one white
# is taken for another: ICC.1:2022, 7.2.16 and annex E (Bradford).
_D50: Final = np.array([0.9642, 1.0, 0.8249])
_CONES: Final = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


@dataclass(frozen=True, slots=True)
class Primaries:
    """Chromaticities (x, y) of red, green, blue and white."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Curve:
    """From a number in [0, 1] to light: (a x + b)^gamma from `start` on, and slope x below."""

    gamma: float
    a: float = 1.0
    b: float = 0.0
    slope: float = 0.0
    start: float = 0.0


def write_profile(name: str, primaries: Primaries, curve: Curve, *, is_grey: bool) -> bytes:
    """Return a display profile of version 4, without a date.

    Raises ValueError for primaries that span no gamut.
    """
    adapted = _adaptation(_xyz(primaries.white))
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright, use freely"),
        b"wtpt": _places(_D50),
        b"chad": b"sf32" + bytes(4) + b"".join(_fixed(n) for n in adapted.ravel()),
    }
    if is_grey:
        tags[b"kTRC"] = _parametric(curve)
    else:
        columns = adapted @ _to_xyz(primaries)
        for letter, column in zip((b"r", b"g", b"b"), columns.T, strict=True):
            tags[letter + b"XYZ"] = _places(column)
            tags[letter + b"TRC"] = _parametric(curve)
    return _assembled(tags, b"GRAY" if is_grey else b"RGB ")


def _to_xyz(primaries: Primaries) -> NDArray[np.float64]:
    """Return the matrix from linear RGB to XYZ under the primaries' own white."""
    corners = np.array([_xyz(each) for each in (primaries.red, primaries.green, primaries.blue)]).T
    if abs(np.linalg.det(corners)) < 1e-3:
        raise ValueError("the primaries span no gamut")
    matrix: NDArray[np.float64] = corners * np.linalg.solve(corners, _xyz(primaries.white))
    if not (np.isfinite(matrix).all() and np.abs(matrix).max() < 100):
        raise ValueError("the primaries span no gamut")
    return matrix


def _xyz(place: tuple[float, float]) -> NDArray[np.float64]:
    """Return XYZ of a chromaticity, with Y = 1."""
    x, y = place
    if not (0 < y <= 1 and 0 <= x <= 1):
        raise ValueError(f"no colour: {place}")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(white: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix that takes colours seen under `white` to those seen under D50."""
    gains = np.diag((_CONES @ _D50) / (_CONES @ white))
    result: NDArray[np.float64] = np.linalg.inv(_CONES) @ gains @ _CONES
    return result


def _fixed(number: float) -> bytes:
    return struct.pack(">i", round(number * 65536))


def _places(xyz: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(n) for n in xyz)


def _parametric(curve: Curve) -> bytes:
    """Write a curve as type 3, or as type 0 where it has no straight part."""
    if not curve.slope:
        return b"para" + bytes(8) + _fixed(curve.gamma)
    numbers = (curve.gamma, curve.a, curve.b, curve.slope, curve.start)
    return b"para" + bytes(4) + b"\0\3\0\0" + b"".join(map(_fixed, numbers))


def _text(text: str) -> bytes:
    """Write a text in one language."""
    coded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(coded), 28) + coded


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    """Put a head before the tags; equal contents are stored once."""
    begin = 128 + 4 + 12 * len(tags)
    table, body, places = struct.pack(">I", len(tags)), b"", dict[bytes, int]()
    for name, content in tags.items():
        if content not in places:
            places[content] = begin + len(body)
            body += content + bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, places[content], len(content))
    head = bytearray(128)
    struct.pack_into(">I", head, 0, begin + len(body))
    head[8:12] = b"\x04\x40\0\0"
    head[12:24] = b"mntr" + space + b"XYZ "
    head[36:40] = b"acsp"
    head[68:80] = b"".join(_fixed(n) for n in _D50)
    return bytes(head) + table + body
