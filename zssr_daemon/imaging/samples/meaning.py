"""Meaning: which samples of a decoded picture are colours, alpha or neither, and which are void."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zssr_daemon.imaging.formats import ImageInfo, SampleKind
from zssr_daemon.imaging.samples.tiff_layout import (
    BLACK_IS_ZERO,
    CMYK,
    RGB,
    WHITE_IS_ZERO,
    TiffLayout,
)
from zssr_daemon.imaging.samples.void import parse_nodata

_PHOTOMETRIC: Final = 262
_EXTRA_SAMPLES: Final = 338
_NODATA: Final = 42113  # GDAL_NODATA, a number as text

_ALPHA: Final = 2  # ExtraSamples: alpha that does not multiply the colours

_KINDS: Final[dict[str, SampleKind]] = {"u": "unsigned", "i": "signed", "f": "float"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What (H, W, C) samples are; as ImageInfo has it."""

    channels: int  # of colour: 1 grey, 3 RGB
    has_alpha: bool
    kind: SampleKind = "unsigned"
    extra_codes: tuple[int, ...] = ()
    nodata: str | None = None

    @classmethod
    def of(
        cls,
        samples: NDArray[Any],
        source: Image.Image | None,
        layout: TiffLayout | None,
        notes: list[str],
    ) -> "Meaning":
        """Describe samples that were read from `source`; layout: of its page, if it is a TIFF.

        source: None for what Pillow does not open.
        """
        bands = samples.shape[2]
        nodata = None if layout is None or source is None else _nodata(source, layout, notes)
        if layout is None or layout.is_plain:
            channels = 3 if bands > 2 else 1
            return cls(channels=channels, has_alpha=bands in {2, 4}, nodata=nodata)
        alpha = next((n for n, code in enumerate(layout.extra_codes) if code in {1, 2}), None)
        codes = tuple(_ALPHA if n == alpha else 0 for n in range(len(layout.extra_codes)))
        return cls(
            channels=min(3, layout.colours),
            has_alpha=layout.has_alpha,
            kind=_KINDS[samples.dtype.kind],
            extra_codes=codes,
            nodata=nodata,
        )


def sample_tags(info: ImageInfo) -> tuple[tuple[int, Any], ...]:
    """Return the tags of a TIFF that say what samples like a source's mean: tag, value.

    Those of ordinary pictures follow from the number of channels, and are not among them.
    """
    tags: list[tuple[int, Any]] = []
    if info.extra_bands or info.kind != "unsigned" or info.bit_depth > 16:
        tags.append((_PHOTOMETRIC, RGB if info.channels == 3 else BLACK_IS_ZERO))
        codes = info.extra_codes or (_ALPHA,) * info.has_alpha
        tags += [(_EXTRA_SAMPLES, codes)] if codes else []
    if info.nodata is not None:
        tags.append((_NODATA, info.nodata))
    return tuple(tags)


def _nodata(source: Image.Image, layout: TiffLayout, notes: list[str]) -> str | None:
    """Return what stands for no sample, in the samples as they are decoded, as text."""
    text = getattr(source, "tag_v2", {}).get(_NODATA)
    value = None if text is None else parse_nodata(text)
    if value is None:
        return None
    highest = (1 << layout.bits) - 1
    if source.mode in {"P", "PA", "LAB"} or layout.photometric in {CMYK, 6}:
        notes.append(f"nodata {value:g} dropped: the colours are converted")
        return None
    is_level = layout.kind == "unsigned" and 0 <= value <= highest
    if is_level and layout.photometric == WHITE_IS_ZERO:
        value = highest - value
    if is_level and layout.bits < 8:
        value *= 255 // highest
    unchanged = str(text).strip(" \0")
    return unchanged if value == parse_nodata(text) or np.isnan(value) else f"{value:g}"
