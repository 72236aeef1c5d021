"""GeoTIFF: every place on the ground stays where it is, as GDAL reads source and output."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parts.metadata_files import geo_tags, geo_tiff, text_png, tiff_bytes
from tests.parts.tiny_settings import TINY
from tests.parts.tools import tool
from tests.worker.test_faithful import enlarge, rules
from zssr_daemon.zssr.scale import Scale

CORNERS = ("upperLeft", "lowerLeft", "lowerRight", "upperRight", "center")

RPC = (1.0, 2.0, 9.0, 12.0, 50.0, 8.0, 100.0, 9.5, 12.5, 0.1, 0.1, 50.0, *(0.5,) * 80)

ITEMS = (
    "<GDALMetadata>"
    '<Item name="SENSOR">S2</Item>'
    '<Item name="STATISTICS_MEAN" sample="0">7</Item>'
    '<Item name="OFFSET" sample="0" role="offset">0</Item>'
    "</GDALMetadata>"
)


def about(path: Path) -> Any:
    """Return what GDAL says of a file."""
    command = [tool("gdalinfo", package="gdal-bin"), "-json", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def corners(of_file: Any) -> list[tuple[float, ...]]:
    """Return where the corners and the middle of a picture lie, by what GDAL says of it."""
    return [tuple(of_file["cornerCoordinates"][name]) for name in CORNERS]


def enlarged(path: Path, data: bytes, scale: Scale = 2.0, setting: str = "tiff") -> str | None:
    """Write a source, enlarge it to `out` beside it, and return the note."""
    path.write_bytes(data)
    config = replace(TINY, scale_factor=scale)
    return enlarge(path, config, rules(setting)).report.note


@pytest.mark.parametrize("scale", [2.0, 1.5, (2.0, 3.0)])
@pytest.mark.parametrize("is_point", [False, True])
@pytest.mark.parametrize("with_matrix", [False, True])
def test_corners_stay(tmp_path: Path, scale: Scale, is_point: bool, with_matrix: bool) -> None:
    """By tie point and pixel size or by a matrix, counted from corners or from middles."""
    path = tmp_path / "source"
    assert enlarged(path, geo_tiff(is_point=is_point, with_matrix=with_matrix), scale) is None
    before, after = about(path), about(tmp_path / "out")
    assert np.array(corners(after)) == pytest.approx(np.array(corners(before)), abs=1e-6)
    assert after["coordinateSystem"] == before["coordinateSystem"]
    assert after["metadata"][""]["AREA_OR_POINT"] == before["metadata"][""]["AREA_OR_POINT"]


@pytest.mark.parametrize(
    ("orientation", "options"),
    [(n, {}) for n in range(2, 9)] + [(6, {"is_point": True}), (7, {"with_matrix": True})],
)
def test_corners_turn_with_the_picture(
    tmp_path: Path, orientation: int, options: dict[str, bool]
) -> None:
    """GDAL takes no notice of an orientation; the output has none, and lies where the source did.

    The picture covers the same ground, and the corner that was the first is where it came to be.
    """
    path = tmp_path / "source"
    assert enlarged(path, geo_tiff({274: orientation}, **options)) is None
    before, after = corners(about(path)), corners(about(tmp_path / "out"))
    assert {tuple(round(n, 6) for n in c) for c in before} == {
        tuple(round(n, 6) for n in c) for c in after
    }
    first = {2: 3, 3: 2, 4: 1, 5: 0, 6: 3, 7: 2, 8: 1}[orientation]
    assert after[first] == pytest.approx(before[0])


def test_ground_control_points_are_scaled(tmp_path: Path) -> None:
    """Several tie points without a pixel size are points of control."""
    places = (0.0, 0.0, 0.0, 5e5, 5e6, 0.0), (24.0, 0.0, 0.0, 500240.0, 5e6, 0.0)
    points = (*places[0], *places[1], 0.0, 18.0, 0.0, 5e5, 4999640.0, 0.0)
    keys = {34735: geo_tags()[34735]}
    enlarged(tmp_path / "source", tiff_bytes(keys | {33922: points}))
    found = about(tmp_path / "out")["gcps"]["gcpList"]
    assert [(p["pixel"], p["line"], p["x"], p["y"]) for p in found] == [
        (0, 0, 5e5, 5e6),
        (48, 0, 500240.0, 5e6),
        (0, 36, 5e5, 4999640.0),
    ]


def test_rational_polynomials_are_scaled(tmp_path: Path) -> None:
    """Lines and samples of RPC count pixels from their middles."""
    enlarged(tmp_path / "source", tiff_bytes({50844: RPC}))
    found = about(tmp_path / "out")["metadata"]["RPC"]
    assert [float(found[name]) for name in ("LINE_OFF", "SAMP_OFF")] == [18.5, 24.5]
    assert [float(found[name]) for name in ("LINE_SCALE", "SAMP_SCALE")] == [19.0, 25.0]
    assert float(found["LAT_OFF"]) == 50.0


def test_items_of_gdal_are_kept_but_for_statistics(tmp_path: Path) -> None:
    """What counts the source's pixels is dropped and named."""
    note = enlarged(tmp_path / "source", geo_tiff({42112: ITEMS}))
    assert note == "not kept: GDAL items (STATISTICS_MEAN)"
    found = about(tmp_path / "out")
    assert found["metadata"][""]["SENSOR"] == "S2"
    assert "STATISTICS_MEAN" not in found["bands"][0].get("metadata", {}).get("", {})


@pytest.mark.parametrize("setting", ["png", "jpeg", "webp"])
def test_other_formats_have_no_place_for_it(tmp_path: Path, setting: str) -> None:
    """The tags are removed, and the note names the cure."""
    note = enlarged(tmp_path / "source", geo_tiff(), setting=setting)
    assert note is not None
    assert 'georeference ([output] format = "tiff" keeps it)' in note
    assert about(tmp_path / "out").get("geoTransform") is None


def test_damaged_georeference_is_dropped_and_named(tmp_path: Path) -> None:
    """Half a matrix places nothing."""
    note = enlarged(tmp_path / "source", geo_tiff({34264: (1.0, 2.0)}))
    assert note == "not kept: damaged georeference"


def test_no_georeference_is_invented(tmp_path: Path) -> None:
    """A picture without places gets none."""
    enlarged(tmp_path / "source", text_png())
    assert about(tmp_path / "out").get("geoTransform") is None
