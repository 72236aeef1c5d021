"""ImageSettings: what holds for one image, and the Resolver that finds it.

settings.toml, the nearest zssr.toml, NAME.toml: key by key the last that says it wins. A preset
fills in what none of them says.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError, field_validator

from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.protocol.kernel_file import KERNEL_FILE_BYTES, KernelFile
from zssr_daemon.settings.explain import explain
from zssr_daemon.settings.load import known_keys
from zssr_daemon.settings.profile_files import Profile, profiles_of, read_below
from zssr_daemon.settings.schema import Degradation, Output, Settings, SettingsTable, ZSSRTable
from zssr_daemon.system.file_names import printable


class ImageSettings(SettingsTable):
    """What holds for one image: all that shapes its output and its way.

    Its `degradation` says what is asked for: `auto` is resolved.
    """

    zssr: ZSSRTable
    degradation: Degradation
    output: Output

    @field_validator("degradation")
    @classmethod
    def _resolve_auto(cls, degradation: Degradation) -> Degradation:
        return degradation.resolved()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what holds for an image that has no settings of its own."""
        return cls(zssr=settings.zssr, degradation=settings.degradation, output=settings.output)


_KNOWN = {table: known_keys()[table] for table in ImageSettings.model_fields}

#: The kernel of an image: a file, "estimate" from the image, or None for bicubic.
KernelChoice = KernelFile | Literal["estimate"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What holds for an image, and which files besides settings.toml had a say."""

    settings: ImageSettings
    kernel: KernelChoice = None
    profiles: tuple[str, ...] = ()  # paths below the inbox


class Resolver:
    """Finds what holds for each image below one inbox."""

    def __init__(self, settings: Settings, inbox: Path, kernel: KernelFile | None = None) -> None:
        """Take the settings for all images; `kernel` is the file that they name, if they do."""
        self._settings = settings
        self._inbox = inbox
        self._kernel = kernel
        of_all = ImageSettings.of(settings)
        self._of_all = Resolved(settings=of_all, kernel=_choice(of_all, kernel))

    def resolve(self, src_rel: str) -> Resolved:
        """Return what holds for an image at this instant.

        Args:
            src_rel: path of the image below the inbox, in `os.fsdecode` form.

        Raises:
            ImageSettingsError: a profile is refused; the message names file, key, value and cure.
            OSError: the disk is at fault.
        """
        profiles = profiles_of(self._inbox, src_rel)
        if not profiles:
            return self._of_all
        merged = _validated(_merged(self._settings, profiles), profiles)
        if merged.degradation.kernel != "bicubic":
            _check_scale(merged, profiles)
        merged, kernel = self._with_kernel(merged, profiles)
        rels = tuple(profile.rel for profile in profiles)
        return Resolved(settings=merged, kernel=kernel, profiles=rels)

    def _with_kernel(
        self, merged: ImageSettings, profiles: Sequence[Profile]
    ) -> tuple[ImageSettings, KernelChoice]:
        """Read the kernel file that a profile names, and set the path at which it lies."""
        path = merged.degradation.kernel
        author = _author(profiles, ["degradation", "kernel"])
        if author is None or not isinstance(path, Path):
            return merged, _choice(merged, self._kernel)
        rel, kernel = _read_kernel(self._inbox, author, path)
        placed = merged.degradation.model_copy(update={"kernel": self._inbox / rel})
        return merged.model_copy(update={"degradation": placed}), kernel


def _choice(settings: ImageSettings, configured: KernelFile | None) -> KernelChoice:
    asked = settings.degradation.kernel
    if asked == "estimate":
        return "estimate"
    return configured if isinstance(asked, Path) else None


def _merged(settings: Settings, profiles: Sequence[Profile]) -> dict[str, Any]:
    """Lay the raw tables over each other."""
    tables: dict[str, Any] = {
        "zssr": settings.written_zssr(),
        "degradation": _written(settings.degradation),
        "output": _written(settings.output),
    }
    for profile in profiles:
        for table, values in profile.tables.items():
            is_table = isinstance(values, dict) and isinstance(tables.get(table), dict)
            tables[table] = tables[table] | values if is_table else values
    return tables


def _written(table: SettingsTable) -> dict[str, Any]:
    """Return the keys that somebody wrote, so that a default can still be told from a choice."""
    return {key: getattr(table, key) for key in table.model_fields_set}


def _validated(tables: dict[str, Any], profiles: Sequence[Profile]) -> ImageSettings:
    try:
        return ImageSettings.model_validate(tables)
    except ValidationError as error:
        message = explain(error, _KNOWN, lambda names: _name(_author(profiles, names), profiles))
        raise ImageSettingsError(message) from error


def _author(profiles: Sequence[Profile], names: Sequence[str]) -> Profile | None:
    """Return the profile whose word a key, or a table, is; None where it is of settings.toml."""
    said = (profile for profile in reversed(profiles) if profile.says(*names[:2]))
    return next(said, None)


def _name(author: Profile | None, profiles: Sequence[Profile]) -> str:
    """Name the file to mend; where keys contradict each other, the last one."""
    return printable((author or profiles[-1]).rel)


def _check_scale(merged: ImageSettings, profiles: Sequence[Profile]) -> None:
    try:
        merged.zssr.in_one_pass()
    except ValueError as error:
        author = _author(profiles, ["zssr", "scale_factor"])
        raise ImageSettingsError(f"{_name(author, profiles)}: [zssr] {error}") from error


def _read_kernel(inbox: Path, author: Profile, path: Path) -> tuple[str, KernelFile]:
    """Read the kernel that a profile names, and return where it lies below the inbox, too."""
    told = f"{printable(author.rel)}: [degradation] kernel = {printable(str(path))!r}"
    rel = _rel(inbox, author, path)
    if rel.startswith("../"):
        raise ImageSettingsError(f"{told}: lies outside the inbox; put it beside the images")
    try:
        content = read_below(inbox, rel, KERNEL_FILE_BYTES)
    except ImageSettingsError as error:
        raise ImageSettingsError(f"{told}: {error}") from error
    if content is None:
        raise ImageSettingsError(f"{told}: no such file in the inbox; put it there")
    return rel, KernelFile(name=os.path.basename(rel), content=content)  # noqa: PTH119


def _rel(inbox: Path, author: Profile, path: Path) -> str:
    """Return a path from the inbox on; a relative one counts from its profile's folder.

    Links need no thought: no file below the inbox is opened through one.
    """
    return os.path.relpath(os.path.normpath(inbox / author.folder / path), inbox)
