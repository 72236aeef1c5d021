"""Target: the size that an output is asked to have, in place of a factor.

Standard library only, as `config` is.
"""

import re
from dataclasses import dataclass
from typing import Final

_INCHES: Final = {"in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}

_NUMBER = r"([1-9]\d{0,6})"
_DECIMAL = r"(\d{1,7}(?:\.\d{1,4})?)"
_BOX = re.compile(rf"{_NUMBER}x{_NUMBER}")
_SIDE = re.compile(rf"(long|short):{_NUMBER}")
_PRINT = re.compile(rf"{_DECIMAL}dpi@{_DECIMAL}x{_DECIMAL}({'|'.join(_INCHES)})")


@dataclass(frozen=True, slots=True)
class Target:
    """A size in pixels that a picture is enlarged to, and the resolution of a print."""

    width: int
    height: int
    is_turned: bool = False  # width and height are exchanged for a picture that stands upright
    sides: str = "both"  # "both" must fit; "long", "short": that side alone has the size
    dpi: float | None = None  # of a print

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Read the text of a setting.

        Raises:
            ValueError: it is none.
        """
        if found := _BOX.fullmatch(text):
            return cls(int(found[1]), int(found[2]))
        if found := _SIDE.fullmatch(text):
            return cls(int(found[2]), int(found[2]), sides=found[1])
        if found := _PRINT.fullmatch(text):
            dpi = float(found[1])
            long, short = sorted((float(found[2]), float(found[3])), reverse=True)
            width, height = (round(side * _INCHES[found[4]] * dpi) for side in (long, short))
            if height >= 1:
                return cls(width, height, is_turned=True, dpi=dpi)
        raise ValueError(f"must be {TARGET_FORMS}")

    def factor(self, width: int, height: int) -> float:
        """Return the factor for a picture of `width` × `height` pixels; it may be 1 or less."""
        if self.sides != "both":
            of_picture = max(width, height) if self.sides == "long" else min(width, height)
            return self.width / of_picture
        is_upright = self.is_turned and height > width
        box = (self.height, self.width) if is_upright else (self.width, self.height)
        return min(box[0] / width, box[1] / height)


class TargetForms:
    """What the text of a target may be; without one the factor counts."""

    def __contains__(self, text: object) -> bool:
        """Tell whether a value is such a text."""
        try:
            return text == "" or (isinstance(text, str) and Target.parse(text) is not None)
        except ValueError:
            return False

    def __str__(self) -> str:
        """Show one example of each form."""
        return '"3840x2160", "long:3000", "short:2000", "300dpi@20x30cm" or "300dpi@8x10in"'


TARGET_FORMS: Final = TargetForms()
