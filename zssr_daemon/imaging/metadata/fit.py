"""Fit: the metadata of a source made true of its output, and what cannot be kept named."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from PIL import ExifTags

from zssr_daemon.imaging.metadata import iptc, png_text
from zssr_daemon.imaging.metadata.colour_tags import equivalent_profile
from zssr_daemon.imaging.metadata.enlargement import Enlargement, Grid
from zssr_daemon.imaging.metadata.exif import (
    enlarged_exif,
    loaded,
    put_user_comment,
    user_comment,
)
from zssr_daemon.imaging.metadata.file_text import as_file_text, serialised
from zssr_daemon.imaging.metadata.image_metadata import ImageMetadata
from zssr_daemon.imaging.metadata.namespaces import DC, XMP_NOTE
from zssr_daemon.imaging.metadata.png_text import Text
from zssr_daemon.imaging.metadata.resolution import has_field, resolution_tags
from zssr_daemon.imaging.metadata.xmp import Xmp
from zssr_daemon.imaging.metadata.xmp_rules import enlarge_xmp
from zssr_daemon.imaging.output_format import OutputFormat

_SOFTWARE: Final = ExifTags.Base.Software
_IPTC_TAG: Final = 33723

# Keywords of a PNG that have a place in the XMP of every format, and those that the comment of an
# EXIF takes: `parameters` is what image generators write.
_AS_XMP: Final = {
    "Title": ("dc", DC, "title"),
    "Author": ("dc", DC, "creator"),
    "Description": ("dc", DC, "description"),
    "Copyright": ("dc", DC, "rights"),
}
_AS_USER_COMMENT: Final = ("parameters", png_text.COMMENT)

# Texts that copy what EXIF and the header of the source's file say, and those of its thumbnail.
_OF_THE_FILE: Final = ("exif:", "Thumb::", "png:", "date:", "jpeg:", "tiff:")

#: The keyword of our own parameters, which each output states anew.
_OUR_KEYWORD: Final = "zssr"


def fit(
    metadata: ImageMetadata, output: OutputFormat, shape: tuple[int, ...]
) -> tuple[ImageMetadata, list[str]]:
    """Return the metadata as an output of `shape` (height, width, channels) holds it, and notes.

    Every coordinate is turned and scaled with the pixels; what has no place in the format moves
    to another place, or is named in the notes.
    """
    height, width, channels = shape
    grid = metadata.grid or Grid(width=width, height=height)
    way = Enlargement(grid=grid, scale=metadata.scale, width=width, height=height)
    fitting = _Fitting(metadata, output, way)
    fitting.fit_resolution()
    fitting.fit_exif()
    fitting.fit_xmp()
    fitting.fit_iptc()
    fitting.fit_texts()
    fitting.finish_xmp()
    notes = fitting.fit_colour(is_grey=channels < 3)
    if fitting.lost:
        notes.append(f"not kept: {', '.join(dict.fromkeys(fitting.lost))}")
    return fitting.metadata, notes


class _Fitting:
    """The metadata while one kind after the other is made to fit."""

    def __init__(self, metadata: ImageMetadata, output: OutputFormat, way: Enlargement) -> None:
        self.metadata = metadata
        self.lost = [*metadata.lost_parts, *metadata.lost_metadata]
        self._output = output
        self._way = way
        self._xmp: Xmp | None = None

    def fit_resolution(self) -> None:
        """Let a calibration grow with the scale; what a print is made by stays."""
        scale_x, scale_y = self._way.scale
        is_measure = self.metadata.is_measured

        def scaled(pixels: tuple[float, float] | None) -> tuple[float, float] | None:
            return pixels and (pixels[0] * scale_x, pixels[1] * scale_y)

        if is_measure:
            self._set(dpi=scaled(self.metadata.dpi))
        if is_measure or scale_x != scale_y:
            self._set(aspect=scaled(self.metadata.aspect))

    def fit_exif(self) -> None:
        """Turn and scale what the EXIF says; a georeference has a place in a TIFF only."""
        if self.metadata.exif is not None:
            try:
                self._enlarge_exif(self.metadata.exif)
            except Exception as error:  # noqa: BLE001 - damaged metadata never fails an image
                self._set(exif=None, tiff_tags={})
                self.lost.append(f"damaged EXIF ({error})")
        if self._output.name != "TIFF":
            self._put_resolution_in_exif()

    def fit_xmp(self) -> None:
        """Turn, scale and strike what the XMP says."""
        if self.metadata.xmp is None:
            if self.metadata.extended_xmp is not None:
                self.lost.append("extended XMP without its packet")
            return
        try:
            self._xmp = Xmp(self.metadata.xmp)
            self._join_extension(self._xmp)
            mime = f"image/{self._output.name.lower()}"
            self.lost += enlarge_xmp(self._xmp, self._way, mime)
        except Exception as error:  # noqa: BLE001 - damaged metadata never fails an image
            self._xmp = None
            self.lost.append(f"damaged XMP ({error})")

    def fit_iptc(self) -> None:
        """Find the records a place: their own in TIFF and JPEG, text in PNG, and XMP."""
        records = self.metadata.iptc
        if records is None:
            return
        if self._output.name == "TIFF":
            self._set(tiff_tags=self.metadata.tiff_tags | {_IPTC_TAG: records})
        elif self._output.name == "PNG":
            text = png_text.as_raw_profile("iptc", records)
            self._set(texts=(*self.metadata.texts, text))
            iptc.add_as_xmp(self._some_xmp(), records)
        elif self._output.name != "JPEG":
            self.lost += iptc.add_as_xmp(self._some_xmp(), records)
        elif iptc.jpeg_segment(records) is None:
            self.lost.append("IPTC, too long for a JPEG")
            self._set(iptc=None)

    def fit_texts(self) -> None:
        """Keep the texts of a PNG in a PNG; elsewhere find those a place that have one."""
        of_file = [text.keyword for text in self.metadata.texts if _is_of_file(text)]
        if of_file:
            self.lost.append(f"texts about the source's file ({', '.join(of_file)})")
        texts = [text for text in self.metadata.texts if not _is_of_file(text)]
        if any(text.keyword == _OUR_KEYWORD for text in texts):
            self.lost.append("parameters of an earlier run")
        texts = [text for text in texts if text.keyword != _OUR_KEYWORD]
        if self._output.name != "PNG":
            texts = self._homeless(texts)
            kept = [text for text in texts if self._output.name == "JPEG" and _is_comment(text)]
            self.lost += [f"text {text.keyword}" for text in texts if text not in kept]
            texts = kept
        self._set(texts=tuple(texts))

    def finish_xmp(self) -> None:
        """Write the packet."""
        self._set(xmp=None if self._xmp is None else self._xmp.text(), extended_xmp=None)

    def fit_colour(self, *, is_grey: bool) -> list[str]:
        """Write a profile where the format has no place for a PNG's colour chunks."""
        tags = self.metadata.png_colour
        if not tags or self._output.name == "PNG":
            return []
        names = b", ".join(name for name, _ in tags).decode()
        icc = self.metadata.icc or equivalent_profile(tags, is_grey=is_grey)
        self._set(icc=icc, png_colour=())
        if icc is None:
            return [f"{names} of the PNG dropped: {self._output.name} has no place for it"]
        light = [name.decode() for name, _ in tags if name in {b"mDCV", b"cLLI"}]
        self.lost += light
        return []

    def _enlarge_exif(self, content: bytes) -> None:
        exif, placed = enlarged_exif(content, self._way, self.metadata.pages, self.lost)
        self._set(exif=exif)
        if self._output.name == "TIFF":
            self._set(tiff_tags=placed)
        elif placed:
            self.lost.append('georeference ([output] format = "tiff" keeps it)')

    def _put_resolution_in_exif(self) -> None:
        """Let the EXIF state a resolution that the format has no field for."""
        dpi, aspect = self.metadata.dpi, self.metadata.aspect
        if dpi is not None and has_field(self._output.name, dpi):
            return
        tags = resolution_tags(dpi, aspect, is_per_cm=self.metadata.is_per_cm)
        if tags:
            directory = loaded(self.metadata.exif)
            directory.update(tags)
            self._set(exif=serialised(directory), dpi=None)

    def _set(self, **changes: object) -> None:
        self.metadata = replace(self.metadata, **changes)  # type: ignore[arg-type]

    def _some_xmp(self) -> Xmp:
        """Return the packet, or a new one."""
        if self._xmp is None:
            self._xmp = Xmp.empty()
        return self._xmp

    def _join_extension(self, xmp: Xmp) -> None:
        if self.metadata.extended_xmp is not None:
            try:
                xmp.join(Xmp(self.metadata.extended_xmp))
            except ValueError as error:
                self.lost.append(f"damaged extended XMP ({error})")
        elif xmp.has(XMP_NOTE, "HasExtendedXMP"):
            self.lost.append("incomplete extended XMP")

    def _homeless(self, texts: Iterable[Text]) -> list[Text]:
        """Put texts into XMP and EXIF; return those that have no place there."""
        homeless = []
        for text in texts:
            name = _AS_XMP.get(text.keyword)
            if name is not None:
                if not self._some_xmp().has(*name[1:]):
                    self._some_xmp().add(name, [text.text])
                elif text.text not in _all_text(self._some_xmp()):
                    homeless.append(text)
            elif not self._put_in_exif(text):
                homeless.append(text)
        return homeless

    def _put_in_exif(self, text: Text) -> bool:
        """Put a text into the EXIF, if it has a free place for it."""
        exif = loaded(self.metadata.exif)
        if text.keyword == "Software" and _SOFTWARE not in exif:
            exif[_SOFTWARE] = as_file_text(text.text)
            self._set(exif=serialised(exif))
            return True
        if self._output.name == "JPEG" and _is_comment(text):
            return False
        if text.keyword in _AS_USER_COMMENT and user_comment(exif) is None:
            self._set(exif=put_user_comment(self.metadata.exif, text.text))
            return True
        return False


def _is_of_file(text: Text) -> bool:
    return text.keyword.startswith(_OF_THE_FILE)


def _is_comment(text: Text) -> bool:
    return text.keyword == png_text.COMMENT


def _all_text(xmp: Xmp) -> set[str]:
    return {(element.text or "").strip() for element in xmp.root.iter()}
