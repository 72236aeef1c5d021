"""Rasters: TIFFs of samples of any type, with bands that are no colours and with nodata."""

import io
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import TiffImagePlugin

GREY, RGB, CMYK = 1, 2, 5

_KINDS = {"u": 1, "i": 2, "f": 3}


def raster(
    path: Path,
    samples: NDArray[Any],
    *,
    photometric: int = GREY,
    extra: tuple[int, ...] = (),
    nodata: str | None = None,
    is_big_endian: bool = False,
    is_separate: bool = False,
) -> Path:
    """Write (H, W, C) samples as one strip, not compressed; extra: ExtraSamples, () for no tag.

    is_separate: each sample of a pixel has strips of its own, of two rows.
    """
    height, width, bands = samples.shape
    ordered = samples.astype(samples.dtype.newbyteorder(">" if is_big_endian else "<"))
    content = (ordered.transpose(2, 0, 1) if is_separate else ordered).tobytes()
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"MM" if is_big_endian else b"II")
    tags[256], tags[257], tags[277] = width, height, bands
    tags[258] = (8 * samples.dtype.itemsize,) * bands
    tags[259], tags[262], tags[278] = 1, photometric, height
    tags[273], tags[279] = 0, len(content)
    if is_separate:
        assert height % 2 == 0
        each = 2 * width * samples.dtype.itemsize
        tags[278], tags[284] = 2, 2
        tags[273], tags[279] = tuple(range(0, len(content), each)), (each,) * (len(content) // each)
    tags[339] = (_KINDS[samples.dtype.kind],) * bands
    if extra:
        tags[338] = extra
    if nodata is not None:
        tags[42113] = nodata
    file = io.BytesIO()
    start = tags.save(file)
    file.seek(start)
    file.write(content)
    path.write_bytes(file.getvalue())
    return path
