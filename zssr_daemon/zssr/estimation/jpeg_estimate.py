"""JpegEstimate: the tables of the JPEG that a source once was, found in its pixels.

Compression rounds the cosine coefficients of each block to multiples of known steps, and decoding
leaves them close to these. Looked for are the quality whose steps explain the coefficients best,
and the step that explains each frequency best, at the places where blocks may begin: in a picture
that was turned or cut that is not its corner.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import torch
from torch import Tensor

from zssr_daemon.zssr.degradation.jpeg import luma_and_chroma, quantisation_steps
from zssr_daemon.zssr.degradation.jpeg_tables import HALVED, WHOLE, JpegTables, Steps
from zssr_daemon.zssr.estimation.step_evidence import StepEvidence
from zssr_daemon.zssr.ops.dct import SIDE, transform

#: Finer compression is not looked for: it does less harm than giving up back-projection does.
MAX_QUALITY: Final = 96

# At most so many blocks are looked at, chosen among so many, for those with clipped pixels tell
# nothing.
MAX_BLOCKS, MAX_CHOICE = 512, 2048

# A window holds a block of every origin.
WINDOW = 2 * SIDE - 1

# Rounding to steps makes fine coefficients 0, but only in blocks that begin where those of the
# compression did. So many origins with the most of them are tried, besides the corner; decoded
# zeros are as small as this, in levels.
TRIED_ORIGINS, ZERO = 2, 0.6

# A table is believed by frequencies whose two numbers add up to at most this; coefficients of finer
# ones are nearly always 0.
MAX_FREQUENCY = 7

# How much better steps must explain a coefficient than no steps do, natural logarithm. The right
# quality was measured to have 0.1 (at 97) to 4 (at 5); pictures never compressed have below -2.
MIN_EVIDENCE = 0.1

# Fewer coefficients than this prove nothing.
MIN_COEFFICIENTS = 64

# So many different multiples must occur, over all frequencies: a plain ramp of colour has the same
# few coefficients everywhere, and some quality always explains those.
MIN_KINDS = 8

# Blocks with fewer levels of luma than this are drawn, not decoded: an enlarged picture of two
# colours has coefficients that are multiples too.
MIN_LEVELS = 16

# A step that no quality prescribes is one of 255, so it must explain its frequency better by the
# logarithm of that; and so many different multiples of it must occur.
MIN_FREE_EVIDENCE, MIN_FREE_KINDS = 5.5, 2

# So many frequencies must have such a step.
MIN_FREE = 8

# Coarser compression leaves too little chroma to see how it was stored.
MIN_CHROMA_QUALITY = 25


def estimate_tables(image: Tensor) -> JpegTables | None:
    """Return the tables with which (C, H, W) float32 in [0, 1] was compressed, from its pixels.

    The image may have been turned, flipped or cut since, but not resized. Of several compressions
    of the same blocks the coarsest counts, else the last. None where no tables up to MAX_QUALITY
    explain the pixels. A step that cannot be seen is taken from the quality that is most like the
    others, and chroma of which no steps can be seen counts as halved. The same image gives the same
    tables.
    """
    if min(image.shape[-2:]) < WINDOW:
        return None
    windows, clipped = _some_windows(image)
    for origin in _origins(windows[_spread(len(windows), MAX_BLOCKS), 0]):
        blocks = _blocks(windows, clipped, origin)
        found = _tables(blocks)
        if found is not None and found.quality <= MAX_QUALITY:
            return found
    return None


def _tables(blocks: Tensor) -> JpegTables | None:
    """Return the tables of blocks (count, C, 8, 8): luma, and chroma of blue and red if C is 3."""
    if len(set(blocks[:, 0].round().flatten().tolist())) < MIN_LEVELS:
        return None
    of_luma, of_chroma = _prescribed()
    evidence = StepEvidence.of(blocks[:, 0])
    luma = _explaining(evidence, of_luma)
    if luma is None:
        return None
    quality = JpegTables(luma=luma, chroma=(luma, luma)).quality
    chroma = None
    if quality >= MIN_CHROMA_QUALITY:
        chroma = _explaining(StepEvidence.of(blocks[:, 1:].flatten(0, 1)), of_chroma)
    usual = JpegTables.of_quality(quality, HALVED if chroma is None else WHOLE)
    last = replace(usual, luma=luma, chroma=usual.chroma if chroma is None else (chroma, chroma))
    return _earlier(evidence, last) or last


def _earlier(evidence: StepEvidence, last: JpegTables) -> JpegTables | None:
    """Return the tables of an earlier compression of the same blocks, if it was coarser."""
    found = _best_prescribed(evidence.before(torch.tensor(last.luma)), _prescribed()[0])
    if found is None:
        return None
    luma: Steps = tuple(found.steps.tolist())
    quality = replace(last, luma=luma).quality
    if quality >= last.quality:
        return None
    return replace(JpegTables.of_quality(quality, last.shrunk), luma=luma)


@cache
def _prescribed() -> tuple[Tensor, Tensor]:
    """Return the steps (rows, 64) of luma at each quality, turned ones too, and those of chroma.

    The latter are the same turned.
    """
    qualities = range(1, MAX_QUALITY + 1)
    luma = torch.stack([quantisation_steps(quality) for quality in qualities]).long()
    chroma = [JpegTables.of_quality(quality).chroma[0] for quality in qualities]
    return torch.cat([luma, luma.mT]).flatten(1), torch.tensor(chroma)


@dataclass(frozen=True, slots=True)
class _Explained:
    """Steps (64,), and the evidence for them."""

    steps: Tensor
    evidence: float


def _explaining(evidence: StepEvidence, prescribed: Tensor) -> Steps | None:
    """Return the steps that explain coefficients best, if they do so clearly."""
    found = (_best_prescribed(evidence, prescribed), _best_free(evidence, prescribed))
    best = max((each for each in found if each), key=lambda each: each.evidence, default=None)
    return None if best is None else tuple(best.steps.tolist())


def _best_prescribed(evidence: StepEvidence, prescribed: Tensor) -> _Explained | None:
    """Return the best of the rows that are prescribed, (rows, 64)."""
    frequencies = torch.arange(SIDE**2)
    of_row = evidence.of_step[frequencies, prescribed - 1] * _looked_at()
    count = evidence.count[frequencies, prescribed - 1] * _looked_at()
    best = int(of_row.sum(dim=1).argmax())
    steps, ratio = prescribed[best], float(of_row[best].sum())
    is_clear = _is_clear(ratio, float(count[best].sum()))
    has_kinds = int((evidence.kinds(steps) * _looked_at()).sum()) >= MIN_KINDS
    return _Explained(steps, ratio) if is_clear and has_kinds else None


def _best_free(evidence: StepEvidence, prescribed: Tensor) -> _Explained | None:
    """Return the best step of each frequency, where enough frequencies have one.

    The others are those of the prescribed row, (rows, 64), that is most like these.
    """
    ratio, at = evidence.of_step.max(dim=1)
    steps = at + 1
    is_seen = (ratio > MIN_FREE_EVIDENCE) & (evidence.kinds(steps) >= MIN_FREE_KINDS)
    counted = is_seen & _looked_at()
    if int(counted.sum()) < MIN_FREE:
        return None
    gain = float((ratio - MIN_FREE_EVIDENCE)[counted].sum())
    count = evidence.count[torch.arange(SIDE**2), at]
    if not _is_clear(gain, float(count[counted].sum())):
        return None
    is_one = (steps == 1) & (count >= MIN_COEFFICIENTS)  # which explains nothing, nor does any
    seen = is_seen | is_one
    distances = ((prescribed / steps).log().abs() * seen).sum(dim=1)
    return _Explained(torch.where(seen, steps, prescribed[distances.argmin()]), gain)


def _is_clear(evidence: float, count: float) -> bool:
    return count >= MIN_COEFFICIENTS and evidence > MIN_EVIDENCE * count


def _looked_at() -> Tensor:
    """Return (64,), the frequencies by which a table is believed, as 0 and 1."""
    frequency = (torch.arange(SIDE)[:, None] + torch.arange(SIDE)).flatten()
    return (frequency >= 1) & (frequency <= MAX_FREQUENCY)


def _some_windows(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return at most MAX_CHOICE windows, which begin at multiples of SIDE, and what is clipped.

    (count, C, WINDOW, WINDOW): luma and chroma in levels about 0; (count, WINDOW, WINDOW): where a
    channel of the image is at its end.
    """
    every = image.unfold(1, WINDOW, SIDE).unfold(2, WINDOW, SIDE)  # (C, rows, columns, y, x)
    rows, columns = every.shape[1:3]
    at = _spread(rows * columns, MAX_CHOICE)
    chosen = every[:, at // columns, at % columns].transpose(0, 1)
    planes = luma_and_chroma(chosen * 255)
    planes[:, 0] -= 128
    return planes, ((chosen <= 0) | (chosen >= 1)).any(dim=1)


def _blocks(windows: Tensor, clipped: Tensor, origin: tuple[int, int]) -> Tensor:
    """Return at most MAX_BLOCKS blocks (count, C, 8, 8) of windows.

    Those without clipped pixels, if there are such.
    """
    top, left = origin
    every, touched = (
        each[..., top : top + SIDE, left : left + SIDE] for each in (windows, clipped)
    )
    whole = every[~touched.flatten(1).any(dim=1)]
    chosen = whole if len(whole) > 0 else every
    return chosen[_spread(len(chosen), MAX_BLOCKS)]


def _spread(count: int, most: int) -> Tensor:
    """Return at most so many of `count` places, evenly spread."""
    return torch.linspace(0, count - 1, min(count, most)).long()


def _origins(windows: Tensor) -> list[tuple[int, int]]:
    """Return where in the windows blocks may begin: at the corner, or where they are simplest."""
    zeros = torch.stack(
        [
            (transform(windows[:, top : top + SIDE, left : left + SIDE]).abs() < ZERO).sum()
            for top in range(SIDE)
            for left in range(SIDE)
        ]
    )
    best = zeros.argsort(descending=True, stable=True)[:TRIED_ORIGINS].tolist()
    return list(dict.fromkeys([(0, 0), *(divmod(place, SIDE) for place in best)]))
