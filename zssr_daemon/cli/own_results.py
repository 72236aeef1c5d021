"""OwnResult: a file that this program wrote, known by its metadata."""

import stat
import warnings
from pathlib import Path

from PIL import ExifTags, Image

from zssr_daemon.imaging.formats import ALLOWED_FORMATS

#: What the tag Software of an output begins with, or holds behind the software before.
_NAME = "zssr_daemon "


def is_own_result(path: Path) -> bool:
    """Tell whether a file is an output of this program; False where it cannot be read."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # a fifo would be waited for
            return False
        with warnings.catch_warnings(), Image.open(path, formats=ALLOWED_FORMATS) as picture:
            warnings.simplefilter("ignore")
            if picture.format == "PNG":
                return "zssr" in picture.info and _is_ours(picture.info.get("Software"))
            return _is_ours(picture.getexif().get(ExifTags.Base.Software))
    except Exception:  # noqa: BLE001 - what is wrong with the file is told when it is decoded
        return False


def _is_ours(software: object) -> bool:
    return isinstance(software, str) and _NAME in software
