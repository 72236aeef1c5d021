"""CutOrder: which part of which picture the page's cutter is to show, and how it answers.

The page's process imports this module, so it imports neither Pillow nor numpy.
"""

from dataclasses import dataclass
from typing import Final

#: The first byte of an answer: a PNG follows, or a sentence that says why there is none.
PICTURE: Final = b"P"
FAULT: Final = b"F"

#: Longest side of a part, output pixels.
MAX_SIDE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """A frame of a file: `rel` below `root`, in `os.fsdecode` form."""

    root: str
    rel: str
    frame: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOrder:
    """A part of a result; with `source`, of that source enlarged by bicubic to the result's size.

    `box` is left, top, right and bottom in pixels of the result.
    """

    result: PictureFile
    source: PictureFile | None = None
    box: tuple[int, int, int, int]
