"""HEIF: photographs of phones (HEIC), read by pillow-heif (libheif, libde265).

The library turns and mirrors pictures as the file says (irot, imir); an orientation in the EXIF
does not count.
"""

from collections import Counter
from typing import Any, Final

import numpy as np
from PIL import Image

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import boxes_tell_the_end
from zssr_daemon.imaging.readers.picture import Header, Picture, stretched, unsupported

# Names of what comes with a picture, by words in the name of its kind.
_AUXILIARY: Final = {"hdrgainmap": "gain map", "depth": "depth map", "matte": "matte"}

# Transfer functions of HDR: PQ and HLG.
_HDR: Final = frozenset({16, 18})

_MODES: Final = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

# A larger picture takes libde265 longer than about a second.
_SLOW_PIXELS: Final = 20_000_000


def read_heif(data: bytes, notes: list[str]) -> Header:
    """Read the header of the primary picture; `load` decodes it."""
    picture = _primary(data, notes)
    mode = picture.mode.split(";")[0]
    bits = int(picture.info["bit_depth"])
    if bits > 16:
        raise unsupported(f"{bits} bits a channel", Reason.UNSUPPORTED_DEPTH)
    if bits > 8 and mode.endswith("a"):
        raise unsupported("HEIF whose deep colours are multiplied by alpha")
    transfer = picture.info.get("nclx_profile", {}).get("transfer_characteristics")
    if transfer in _HDR:
        raise unsupported("HEIF in HDR (PQ or HLG)", Reason.UNSUPPORTED_DEPTH)

    def load(_frame: int) -> Picture:
        image: Image.Image = picture.to_pillow() if bits == 8 else _empty(picture)
        if bits == 8:
            return Picture(image=image)
        # The library shifts levels to the left.
        levels = np.atleast_3d(np.asarray(picture)) >> (16 - bits)
        deep = stretched(levels, (1 << bits) - 1, 16).astype(np.uint16)
        return Picture(image=image, deep=deep)

    return Header(
        width=picture.size[0],
        height=picture.size[1],
        channels=1 if mode in {"L", "LA", "La", "I"} else 3,
        has_alpha=mode[-1:] in {"A", "a"},
        bit_depth=16 if bits > 8 else 8,
        load=load,
        is_slow=picture.size[0] * picture.size[1] > _SLOW_PIXELS and boxes_tell_the_end(data),
    )


def _primary(data: bytes, notes: list[str]) -> Any:
    """Open the file, and note what is left out beside its primary picture."""
    import pillow_heif  # noqa: PLC0415 - only the confined child loads it

    pillow_heif.options.DECODE_THREADS = 1
    try:
        file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    except (ValueError, RuntimeError, SyntaxError) as error:
        if "nsupported" in str(error) or "plugin" in str(error):
            raise unsupported(f"HEIF of a kind that is not read ({error})") from error
        raise
    if not len(file):
        raise ImageError("no picture in the file", reason=Reason.CORRUPT)
    picture = file[file.primary_index]
    if len(file) > 1:
        notes.append(f"picture {file.primary_index} of {len(file)} taken")
    left_out = _left_out(picture.info)
    if left_out:
        notes.append("left out: " + ", ".join(f"{left_out[kind]} × {kind}" for kind in left_out))
    return picture


def _left_out(info: dict[str, Any]) -> Counter[str]:
    """Count what comes with a picture and is not kept."""
    found: Counter[str] = Counter()
    found["thumbnail"] = len(info.get("thumbnails", ()))
    found["depth map"] = len(info.get("depth_images", ()))
    for kind, items in info.get("aux", {}).items():
        word = str(kind).lower()
        name = next((_AUXILIARY[key] for key in _AUXILIARY if key in word), "auxiliary picture")
        found[name] += len(items)
    return +found


def _empty(picture: Any) -> Image.Image:
    """Return an image without pixels of its own that has the metadata."""
    channels = np.atleast_3d(np.asarray(picture)).shape[2]
    image = Image.new(_MODES[channels], picture.size, None)
    image.info = dict(picture.info)
    return image
