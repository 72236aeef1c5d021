"""TiffLayout: what the samples of a page of a TIFF are, from its header."""

from dataclasses import dataclass
from typing import Final

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.containers import Buffer, tiff_tags
from zssr_daemon.imaging.formats import SampleKind

#: Tags, and values of PHOTOMETRIC below.
BITS_PER_SAMPLE: Final = 258
PHOTOMETRIC: Final = 262
SAMPLES_PER_PIXEL: Final = 277
EXTRA_SAMPLES: Final = 338
SAMPLE_FORMAT: Final = 339
_PREDICTOR: Final = 317
PLANAR_CONFIGURATION: Final = 284
BLOCKS: Final = (273, 279, 324, 325)  # StripOffsets, StripByteCounts, TileOffsets, TileByteCounts

_KINDS: Final[dict[int, SampleKind]] = {1: "unsigned", 2: "signed", 3: "float"}

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, CMYK = 0, 1, 2, 5

# Photometric interpretation → colours. Those whose numbers are kept come first.
_COLOURS: Final = {BLACK_IS_ZERO: 1, RGB: 3, WHITE_IS_ZERO: 1, CMYK: 4, 3: 1, 6: 3, 8: 3}

# Bits a sample that are kept, beyond the 8 bits that Pillow reads.
_DEPTHS: Final[dict[SampleKind, frozenset[int]]] = {
    "unsigned": frozenset({8, 16, 32}),
    "signed": frozenset({8, 16, 32}),
    "float": frozenset({16, 32, 64}),
}

#: A file of more samples a pixel is no picture.
MAX_BANDS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TiffLayout:
    """The samples of a page."""

    photometric: int
    kind: SampleKind
    bits: int  # of a sample
    extra_codes: tuple[int, ...]  # ExtraSamples, one for each sample beyond the colours
    is_declared: bool  # whether the file says so of each of them
    predictor: int  # what is subtracted before compression: 1 nothing, 2 whole numbers, 3 floats
    is_big_endian: bool
    blocks: tuple[tuple[int, tuple[int, ...]], ...]  # tags of places and lengths, with their values
    is_separate: bool  # each sample has blocks of its own

    @property
    def colours(self) -> int:
        """How many samples are colours."""
        return _COLOURS.get(self.photometric, 1)

    @property
    def bands(self) -> int:
        """The number of samples of a pixel."""
        return self.colours + len(self.extra_codes)

    @property
    def is_plain(self) -> bool:
        """Whether Pillow reads every sample: 8 bits or less, with no further samples but alpha."""
        return (
            self.kind == "unsigned"
            and self.bits <= 8
            and (len(self.extra_codes) <= 1 and 0 not in self.extra_codes)
        )

    @property
    def has_alpha(self) -> bool:
        """Whether one of the samples is alpha."""
        return any(code in {1, 2} for code in self.extra_codes)

    def check(self) -> None:
        """Refuse what could not be kept with an ImageError (`unsupported_depth`)."""
        if self.is_plain:
            return
        if self.bands > MAX_BANDS:
            raise unsupported(f"{self.bands} samples a pixel, more than {MAX_BANDS}")
        is_unsigned_grey = self.kind == "unsigned" and not self.extra_codes
        is_kept = (
            self.photometric in {BLACK_IS_ZERO, RGB}
            or (self.photometric == WHITE_IS_ZERO and is_unsigned_grey)
            or (self.photometric == CMYK and self.kind == "unsigned" and self.bits == 8)
        )
        # Alpha that multiplies colours is divided out, from whatever stands before it.
        is_divisible = 1 not in self.extra_codes or (
            self.extra_codes.count(1) == 1
            and self.extra_codes[0] == 1
            and self.kind == "unsigned"
            and not self.is_separate
        )
        # Floats that are read by their bits (see `load_deep`) must not be subtracted from others.
        is_read = self.kind != "float" or self.bits == 32 or self.predictor == 1
        is_kept = is_kept and is_divisible and is_read
        if not is_kept or self.bits not in _DEPTHS[self.kind]:
            what = f"photometric interpretation {self.photometric}, extra samples "
            kind = f"{what}{self.extra_codes}"
            raise unsupported(f"{self.kind} samples of {self.bits} bits ({kind})")


def tiff_layout(data: Buffer, page: int = 0) -> TiffLayout:
    """Read the tags of a page.

    Raises ImageError (`unsupported_depth`) where samples differ in kind, or are of no kind that is
    known; IndexError or struct.error where the header ends early.
    """
    tags = tiff_tags(data, page)
    bits = set(tags.get(BITS_PER_SAMPLE, (1,)))
    kinds = set(tags.get(SAMPLE_FORMAT, (1,)))
    photometric = tags.get(PHOTOMETRIC, (-1,))[0]
    declared = tags.get(EXTRA_SAMPLES, ())
    samples = tags.get(SAMPLES_PER_PIXEL, (1,))[0]
    count = max(0, samples - _COLOURS.get(photometric, samples))
    codes = declared[:count] + (0,) * min(count - len(declared), MAX_BANDS + 1)
    if len(kinds) > 1 or not kinds <= set(_KINDS):
        raise unsupported(f"samples of the formats {sorted(kinds)}")
    if len(bits) > 1 and (max(bits) > 8 or codes):
        raise unsupported(f"samples of {sorted(bits)} bits in one pixel")
    return TiffLayout(
        photometric=photometric,
        kind=_KINDS[kinds.pop()],
        bits=max(bits),
        extra_codes=codes,
        is_declared=len(declared) >= len(codes),
        predictor=tags.get(_PREDICTOR, (1,))[0],
        is_big_endian=data[:2] == b"MM",
        blocks=tuple((tag, tags[tag]) for tag in BLOCKS if tag in tags),
        is_separate=tags.get(PLANAR_CONFIGURATION, (1,))[0] == 2 and samples > 1,
    )


def unsupported(what: str) -> ImageError:
    """Return the refusal of samples that would be cut."""
    return ImageError(f"{what}: not supported", reason=Reason.UNSUPPORTED_DEPTH)
