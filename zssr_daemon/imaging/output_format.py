"""OutputFormat: endings, what each format can hold, and which one a source is written in.

The supervisor imports this module, so it imports neither Pillow nor numpy.
"""

from dataclasses import dataclass
from typing import Final

from zssr_daemon.errors import ImageError, Reason
from zssr_daemon.imaging.formats import ImageInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """What a format can hold."""

    name: str  # Pillow's
    suffix: str
    max_side: int  # pixels
    max_depth: int  # bits a channel
    has_alpha: bool
    has_grey: bool
    has_hdr: bool = False  # can say that its numbers follow PQ or HLG
    has_numbers: bool = False  # signed and floating samples, 32 bits, further bands


PNG: Final = OutputFormat(
    name="PNG",
    suffix=".png",
    max_side=1_000_000,
    max_depth=16,
    has_alpha=True,
    has_grey=True,
    has_hdr=True,
)
TIFF: Final = OutputFormat(
    name="TIFF",
    suffix=".tif",
    max_side=10_000_000,
    max_depth=32,
    has_alpha=True,
    has_grey=True,
    has_numbers=True,
)
JPEG: Final = OutputFormat(
    name="JPEG", suffix=".jpg", max_side=65_500, max_depth=8, has_alpha=False, has_grey=True
)
WEBP: Final = OutputFormat(
    name="WEBP", suffix=".webp", max_side=16_383, max_depth=8, has_alpha=True, has_grey=False
)

#: The value of `[output] format` that goes with the ending of an output named by the user.
SETTING_BY_SUFFIX: Final = {
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".webp": "webp",
}

_BY_SETTING: Final = {"png": PNG, "tiff": TIFF, "jpeg": JPEG, "webp": WEBP}

# What `same` means. BMP and AVIF are not written: they become PNG.
_BY_SOURCE: Final = {"PNG": PNG, "JPEG": JPEG, "MPO": JPEG, "TIFF": TIFF, "WEBP": WEBP}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputRules:
    """What is asked of an output; `setting` is `[output] format`."""

    setting: str
    quality: int  # of JPEG, 1 to 100
    keeps_metadata: bool
    max_pixels: int
    memory_bytes: int | None = None  # that the machine has; None: memory is not predicted

    def format_for(self, source_format: str | None) -> OutputFormat:
        """Return the format that a source of `source_format` (Pillow's name) is written in."""
        if self.setting == "same":
            return _BY_SOURCE.get(source_format or "PNG", PNG)
        return _BY_SETTING[self.setting]

    def fault(self, source: ImageInfo, width: int, height: int) -> ImageError | None:
        """Say what keeps an output of `width` by `height` pixels from being written, or None."""
        return self._size_fault(source, width, height) or self._content_fault(source)

    def _size_fault(self, source: ImageInfo, width: int, height: int) -> ImageError | None:
        """Say what the output is too large for."""
        size = f"{width} × {height} output pixels"
        needed = self.predicted_bytes(source, width, height)
        output = self.format_for(source.format)
        if width * height > self.max_pixels:
            message = f"{size}, [limits] max_output_pixels is {self.max_pixels}"
        elif self.memory_bytes is not None and needed > self.memory_bytes:
            message = f"{size} need about {needed} bytes of memory, there are {self.memory_bytes}"
        elif max(width, height) > output.max_side:
            message = f"{size}, a side of {output.name} holds {output.max_side}"
        else:
            return None
        return ImageError(message, reason=Reason.OUTPUT_TOO_LARGE)

    def _content_fault(self, source: ImageInfo) -> ImageError | None:
        """Say what the format of the output does not hold."""
        output = self.format_for(source.format)
        if source.has_alpha and not output.has_alpha:
            cure = "[output] format must be png, tiff or webp"
            message = f"the image is transparent, and {output.name} holds no alpha: {cure}"
            return ImageError(message, reason=Reason.OUTPUT_WITHOUT_ALPHA)
        if source.is_hdr and not output.has_hdr:
            message = f"the image is HDR (PQ or HLG), which {output.name} cannot say: "
            cure = "[output] format must be png"
            return ImageError(f"{message}{cure}", reason=Reason.OUTPUT_WITHOUT_HDR)
        if not output.has_numbers and (kept := _numbers(source)):
            cure = '[output] format must be "tiff" or "same"'
            message = f"the image has {kept}, which {output.name} does not hold: {cure}"
            return ImageError(message, reason=Reason.OUTPUT_WITHOUT_SAMPLES)
        return None

    def predicted_bytes(self, source: ImageInfo, width: int, height: int) -> int:
        """Return the memory an output of that size takes beyond process and strips, about."""
        as_floats = source.width * source.height * source.bands * 4
        return as_floats + width * height * source.bands * self.bit_depth(source) // 8

    def bit_depth(self, source: ImageInfo) -> int:
        """Return the bits a channel of the output: the source's, or what the format can hold."""
        return min(source.bit_depth, self.format_for(source.format).max_depth)

    def notes(self, source: ImageInfo) -> list[str]:
        """Say what the source holds and the output will not."""
        output = self.format_for(source.format)
        notes = []
        if self.setting == "same" and source.format not in _BY_SOURCE:
            notes.append(f"{source.format} is not written: {output.name} instead")
        if source.bit_depth > output.max_depth:
            notes.append(f"{source.bit_depth} bits a channel cut to {output.max_depth}")
        if source.channels == 1 and not output.has_grey:
            notes.append(f"grey written as RGB, as {output.name} knows no grey")
        if source.nodata is not None and not output.has_numbers:
            what = f"nodata {source.nodata} is not named, as {output.name} has no tag for it"
            notes.append(what)
        return notes


def _numbers(source: ImageInfo) -> str | None:
    """Say what the source has that only numbers can hold, or None."""
    if source.kind != "unsigned":
        return f"{'floating' if source.kind == 'float' else 'signed'} samples"
    if source.bit_depth > 16:
        return f"samples of {source.bit_depth} bits"
    if source.extra_bands:
        return f"{source.extra_bands} further samples a pixel"
    return None
