"""OutputPlace: where the outputs of one image go, and in which format."""

import errno
import os
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from zssr_daemon.cli.image_inputs import ImageInput
from zssr_daemon.imaging.decode import inspect
from zssr_daemon.imaging.formats import HEAD_BYTES, sniff_format
from zssr_daemon.imaging.output_format import SETTING_BY_SUFFIX, OutputRules
from zssr_daemon.protocol.attempt_files import companion_rel
from zssr_daemon.protocol.endings import REPORT
from zssr_daemon.publish.legal_names import LegalNames
from zssr_daemon.publish.output_names import output_rel, told_scale
from zssr_daemon.settings.image_settings import Resolved
from zssr_daemon.settings.rules import image_limits, output_rules
from zssr_daemon.settings.schema import Limits
from zssr_daemon.system.safe_open import open_source
from zssr_daemon.zssr.scale import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPlace:
    """The folder of an image's outputs, and what their names are made of."""

    folder: Path
    rules: OutputRules
    name: str  # of the source
    pattern: str
    scale: Scale  # that the name tells
    suffix: str
    tag: str = ""  # that makes the name free
    file: Path | None = None  # that was named for the output

    def final(self, page: int | None = None) -> Path:
        """Return the path of the output, or of one page's output; pages count from 1."""
        of_page = "" if page is None else f"_p{page:03d}"
        if self.file is not None:
            return self.file.with_stem(self.file.stem + of_page)
        pattern = self.pattern.replace("{stem}", "{stem}" + of_page)
        name = output_rel(self.name, pattern, scale=self.scale, suffix=self.suffix, tag=self.tag)
        return self.folder / LegalNames(self.folder).rel(name)

    def finals(self, frames: int) -> list[Path]:
        """Return the paths of the outputs of all frames."""
        return [self.final()] if frames == 1 else [self.final(n + 1) for n in range(frames)]

    def refuse_taken(self, *, has_report: bool) -> None:
        """Raise FileExistsError where a name is taken, before any work is done.

        Linking refuses those that are taken later.
        """
        wanted = str(self.final())
        report = companion_rel(wanted, REPORT)
        for path in [wanted, report] if has_report else [wanted]:
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, "File exists", path)


class OutputPlaces:
    """Finds the place for one image after another, no place twice."""

    def __init__(self, output: Path | None, limits: Limits, *, is_folder: bool) -> None:
        """Take the file or folder that was named; `is_folder`: it is one, there or not."""
        self._output = output
        self._is_folder = output is None or is_folder or output.is_dir()
        self._limits = limits
        self._given: set[Path] = set()

    def place_for(self, image: ImageInput, own: Resolved) -> OutputPlace:
        """Return the place for the outputs of an image.

        Raises:
            ImageError: its size is needed and cannot be read.
            OSError: a disk fails.
        """
        output = own.settings.output
        rules = output_rules(self._limits, output)
        file = None if self._is_folder else self._output
        if file is not None:  # its ending decides the format
            asked = SETTING_BY_SUFFIX.get(file.suffix.lower(), rules.setting)
            rules = replace(rules, setting=asked)
        place = OutputPlace(
            folder=self._folder(image) if file is None else file.parent,
            rules=rules,
            name=image.name,
            pattern=output.name,
            scale=self._scale(image, own),
            suffix=rules.format_for(_format_of(image.path)).suffix,
            file=file,
        )
        return place if file is not None else self._free(place)

    def _folder(self, image: ImageInput) -> Path:
        folder = self._output or image.beside
        if not image.is_of_folder:
            return folder
        return folder / LegalNames(folder).rel(os.path.dirname(image.rel))  # noqa: PTH120

    def _free(self, place: OutputPlace) -> OutputPlace:
        """Return the place under a name that no earlier image has, such as a_x2-2.png."""
        if place.final().absolute() in self._given:
            numbered = (replace(place, tag=f"-{number}") for number in count(2))
            place = next(each for each in numbered if not os.path.lexists(each.final()))
        self._given.add(place.final().absolute())
        return place

    def _scale(self, image: ImageInput, own: Resolved) -> Scale:
        """Return the factor for the name; of a target only the size of the image tells it."""
        config = own.settings.zssr
        if not config.target or "{scale}" not in own.settings.output.name:
            return config.total_scale
        fd = open_source(image.root, image.rel)
        try:
            info = inspect(fd, image_limits(self._limits, own.settings.output))
        finally:
            os.close(fd)
        sized = own.for_size(info.width, info.height).settings
        return told_scale(sized.zssr, info.width, info.height)


def _format_of(image: Path) -> str | None:
    """Return the format by content; None where it is unknown, and the decoder says why."""
    try:
        if not image.is_file():  # a fifo would be waited for
            return None
        with image.open("rb") as file:
            return sniff_format(file.read(HEAD_BYTES))
    except OSError:
        return None
