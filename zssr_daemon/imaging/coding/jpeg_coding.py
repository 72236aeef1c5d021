"""JPEG coding: with what tables a JPEG file was compressed, as its own header says."""

from typing import Final

from PIL.JpegImagePlugin import JpegImageFile

from zssr_daemon.imaging.formats import HEAD_BYTES, sniff_format
from zssr_daemon.imaging.metadata.read import read_orientation
from zssr_daemon.imaging.pillow import open_picture, pixel_limit
from zssr_daemon.zssr.degradation.jpeg_tables import JpegTables

# A file may say that its three channels are red, green and blue, or name them so.
_RGB: Final = tuple(b"RGB")

# EXIF orientations from this one on exchange rows and columns.
_FIRST_TRANSPOSED: Final = 5


def read_jpeg_tables(data: bytes) -> JpegTables | None:
    """Return the tables of a file that was decoded before, turned as its upright pixels are.

    None for other formats, and where the colours are not stored as luma and chroma.
    """
    if sniff_format(data[:HEAD_BYTES]) != "JPEG":
        return None
    with pixel_limit(None), open_picture(data, ["JPEG"]) as source:
        assert isinstance(source, JpegImageFile)
        tables = None if _is_rgb(source) else _tables(source)
        orientation = read_orientation(source)
    return tables.transposed if tables and orientation >= _FIRST_TRANSPOSED else tables


def _is_rgb(source: JpegImageFile) -> bool:
    names = tuple(name for name, *_ in source.layer)
    return names == _RGB or (len(names) == len(_RGB) and source.info.get("adobe_transform") == 0)


def _tables(source: JpegImageFile) -> JpegTables | None:
    """Return the tables as the pixels are stored; None for kinds that `compress` does not know."""
    steps = [tuple(source.quantization.get(table, ())) for *_, table in source.layer]
    _, across, down, _ = source.layer[0]
    shrunk = {
        (down // rows, across // columns)
        for _, columns, rows, _ in source.layer[1:]
        if down % rows == across % columns == 0
    }
    try:
        if len(steps) == 1:
            return JpegTables(luma=steps[0], chroma=(steps[0], steps[0]))
        luma, *chroma = steps
        (of_chroma,) = shrunk
        blue, red = chroma
        return JpegTables(luma=luma, chroma=(blue, red), shrunk=of_chroma)
    except ValueError:  # four channels; chroma of two sizes, or finer than the luma; no table
        return None
