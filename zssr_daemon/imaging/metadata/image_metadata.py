"""ImageMetadata: what comes with the pixels of one source, and what is said about its loss."""

from dataclasses import dataclass, field
from typing import Any

from zssr_daemon.imaging.metadata.enlargement import Grid
from zssr_daemon.imaging.metadata.png_text import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageMetadata:
    """Profile, EXIF, resolution, XMP, IPTC and texts of an image.

    The EXIF has Orientation 1 and no thumbnail. Coordinates and sizes inside EXIF, XMP and the
    TIFF's tags are still those of the source: `fit` makes them true for an output.
    """

    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None  # horizontal, vertical of the upright picture; an inch
    aspect: tuple[float, float] | None = None  # the same for a resolution without a unit
    is_per_cm: bool = False  # whether a TIFF counted its `dpi` by the centimetre
    is_measured: bool = False  # whether the resolution measures what is shown: no matter of print
    xmp: str | None = None
    extended_xmp: str | None = None  # of a JPEG: what did not fit into the packet
    # Chunks of a PNG, or their like in other formats, that say what the numbers mean where no
    # profile does: name, content.
    png_colour: tuple[tuple[bytes, bytes], ...] = ()
    iptc: bytes | None = None  # records of IPTC-IIM
    texts: tuple[Text, ...] = ()  # of a PNG; a JPEG's comment has the keyword Comment
    grid: Grid | None = None  # that coordinates of the source refer to
    scale: tuple[float, float] = (1.0, 1.0)  # of the output, horizontally and vertically
    pages: int = 1  # of the file that this picture is one of
    # What the output will lack, in words: parts of the file that are no metadata, and metadata.
    lost_parts: tuple[str, ...] = ()
    lost_metadata: tuple[str, ...] = ()
    # Tags for a TIFF that are no EXIF, by number: made by `fit`, and empty before.
    tiff_tags: dict[int, object] = field(default_factory=dict)
    # Tags of a TIFF that say what its samples mean: tag, value.
    sample_tags: tuple[tuple[int, Any], ...] = ()

    def only_colour(self) -> "ImageMetadata":
        """Return what says how the samples look, without all that `strip` removes."""
        return ImageMetadata(
            icc=self.icc,
            png_colour=self.png_colour,
            lost_parts=self.lost_parts,
            sample_tags=self.sample_tags,
        )
