"""Colour: any mode of Pillow becomes grey or RGB, with or without alpha, with its profile."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

#: The modes that all others are converted to.
PLAIN_MODES: Final = frozenset({"L", "LA", "RGB", "RGBA"})

_PLAIN_EQUIVALENT: Final = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}

# Bytes 16 to 20 of a profile: the colour space it describes.
_PROFILE_SPACES: Final = {"CMYK": b"CMYK", "LAB": b"Lab ", "L": b"GRAY", "RGB": b"RGB "}


def to_plain_mode(
    image: Image.Image, notes: list[str], *, key_scale: int = 1
) -> tuple[Image.Image, bytes | None]:
    """Return the image in one of PLAIN_MODES and the profile its numbers are in, if any.

    `key_scale` is the factor from a grey colour key of few bits to 8 bits: Pillow scales the
    pixels, but not the key. What is dropped or guessed is added to `notes`.
    """
    icc = usable_profile(image, notes)
    if image.mode in {"CMYK", "LAB"}:
        return _to_srgb(image, icc, notes)
    if image.mode == "P":
        return _without_palette(image), icc
    key = image.info.get("transparency")
    if image.mode not in PLAIN_MODES:
        image = image.convert(_PLAIN_EQUIVALENT.get(image.mode, "RGB"))
    if key is not None and image.mode in {"L", "RGB"}:
        image = _with_colour_key(image, np.asarray(key) * key_scale & 255)
    return image, icc


def grey_to_srgb(picture: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Return L or LA as RGB or RGBA and its profile: sRGB where the grey had one, else none."""
    if icc is None:
        return picture.convert("RGBA" if picture.mode == "LA" else "RGB"), None
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    grey = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    transform = ImageCms.buildTransform(grey, srgb, "L", "RGB")
    coloured = transform.apply(picture.getchannel("L"))
    if picture.mode == "LA":
        coloured.putalpha(picture.getchannel("A"))
    return coloured, _undated(srgb.tobytes())


def usable_profile(image: Image.Image, notes: list[str]) -> bytes | None:
    """Return the embedded profile if it can be read and describes this kind of pixels."""
    icc = image.info.get("icc_profile")
    if not icc:
        return None
    is_grey = image.mode in {"1", "I", "I;16", "I;16B", "F", "LA", "La"}
    kind = "L" if is_grey else image.mode
    expected = _PROFILE_SPACES.get(kind, b"RGB ")
    try:
        ImageCms.getOpenProfile(io.BytesIO(icc))
    except (OSError, TypeError, ValueError, ImageCms.PyCMSError):
        notes.append("broken colour profile dropped")
        return None
    if icc[16:20] != expected:
        notes.append(f"colour profile of another colour space dropped ({icc[16:20]!r})")
        return None
    return bytes(icc)


def _to_srgb(
    image: Image.Image, icc: bytes | None, notes: list[str]
) -> tuple[Image.Image, bytes | None]:
    """Convert CMYK or LAB to sRGB, through its profile if it has one."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    if icc is None:
        notes.append(f"{image.mode} without a profile: plain conversion")
    if icc is not None:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    elif image.mode == "LAB":
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    else:
        return image.convert("RGB"), _undated(srgb.tobytes())
    transform = ImageCms.buildTransform(source, srgb, image.mode, "RGB")
    return transform.apply(image), _undated(srgb.tobytes())


def _undated(icc: bytes) -> bytes:
    """Clear the creation date, so that equal inputs give equal outputs."""
    return icc[:24] + bytes(12) + icc[36:]


def _without_palette(image: Image.Image) -> Image.Image:
    """Turn palette indices into RGB, or RGBA if any entry in use is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    with_alpha = image.convert("RGBA")
    is_opaque = with_alpha.getchannel("A").getextrema() == (255, 255)
    return with_alpha.convert("RGB") if is_opaque else with_alpha


def _with_colour_key(image: Image.Image, key: NDArray[np.integer]) -> Image.Image:
    """Make the pixels equal to `key` transparent; Pillow's own conversion does not always do so."""
    samples = np.asarray(image).reshape(image.height, image.width, -1)
    hit = (samples == key).all(axis=-1)
    keyed = image.copy()
    keyed.info.pop("transparency", None)
    keyed.putalpha(Image.fromarray(np.where(hit, 0, 255).astype(np.uint8)))
    return keyed
