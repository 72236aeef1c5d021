"""TGA: read by Pillow; it has no first bytes of its own, so its header has to fit strictly."""

from typing import Final

from PIL import Image

from zssr_daemon.imaging.pillow import open_picture
from zssr_daemon.imaging.readers.picture import Header, Picture

# Of byte 17: how many bits of a pixel say how much of it is seen.
_ALPHA_BITS: Final = 0x0F
_DESCRIPTOR: Final = 17


def read_tga(data: bytes, notes: list[str]) -> Header:
    """Read the header; `load` decodes."""
    image = open_picture(data, ["TGA"])

    def load(_frame: int) -> Picture:
        image.load()
        return Picture(image=_without_unused_alpha(image, data[_DESCRIPTOR], notes))

    return Header(width=image.width, height=image.height, channels=3, has_alpha=False, load=load)


def _without_unused_alpha(image: Image.Image, descriptor: int, notes: list[str]) -> Image.Image:
    """Drop a fourth channel that the header does not call alpha: it can hold anything."""
    if image.mode not in {"RGBA", "LA"} or descriptor & _ALPHA_BITS:
        return image
    notes.append("a channel that the header does not call alpha was dropped")
    plain = image.convert("RGB" if image.mode == "RGBA" else "L")
    plain.info = image.info
    return plain
