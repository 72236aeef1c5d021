"""ImageSettings: the settings of one image, and the Resolver that finds them.

They come from settings.toml, the nearest zssr.toml and NAME.toml. Of each key, the last of these
files that sets it wins. A preset fills in the keys that none of them sets.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError, ValidationInfo, field_validator

from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.protocol.kernel_file import KERNEL_FILE_BYTES, KernelFile
from zssr_daemon.settings.explain import explain
from zssr_daemon.settings.layers import Tables, contradiction, laid_over
from zssr_daemon.settings.load import COMMAND_LINE, known_keys
from zssr_daemon.settings.profile_files import Profile, profiles_of, read_below
from zssr_daemon.settings.schema import (
    START_FOLDER_FAULT,
    Degradation,
    Output,
    Settings,
    ZSSRTable,
)
from zssr_daemon.settings.table import SettingsTable
from zssr_daemon.system.file_names import printable


class ImageSettings(SettingsTable):
    """The settings of one image: all that shapes its output, and what becomes of its source.

    `auto` is resolved in its `degradation`, and nowhere else: `Settings` keeps what was written.
    """

    zssr: ZSSRTable
    degradation: Degradation
    output: Output

    @field_validator("degradation")
    @classmethod
    def _resolve_auto(cls, degradation: Degradation, info: ValidationInfo) -> Degradation:
        zssr = info.data.get("zssr")  # missing if it is faulty itself
        return degradation if zssr is None else degradation.resolved(zssr.preset)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the settings of an image that has none of its own."""
        return cls(zssr=settings.zssr, degradation=settings.degradation, output=settings.output)


_KNOWN = {table: known_keys()[table] for table in ImageSettings.model_fields}

#: The kernel of an image: a file, "estimate" from the image, "auto" for the same where a job can
#: run with a kernel, or None for bicubic.
KernelChoice = KernelFile | Literal["estimate", "auto"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The settings of an image, with its kernel; in the code such a value is called `own`."""

    settings: ImageSettings
    kernel: KernelChoice = None
    profiles: tuple[str, ...] = ()  # the files that set any of them, as paths below the inbox

    def for_size(self, width: int, height: int) -> Self:
        """Return the settings for a source of that size: a target gives them their factor.

        Raises:
            ImageSettingsError: that factor cannot be.
        """
        try:
            config = self.settings.zssr.for_size(width, height)
        except ValueError as error:
            raise ImageSettingsError(f"[zssr] {error}") from error
        return replace(self, settings=self.settings.model_copy(update={"zssr": config}))


class Resolver:
    """Finds the settings of each image below one inbox."""

    def __init__(
        self,
        settings: Settings,
        inbox: Path,
        kernel: KernelFile | None = None,
        over: Tables | None = None,
    ) -> None:
        """Take the settings for all images, and the kernel file that these name, if any.

        over: those of `settings` that count more than the files of the inbox.
        """
        self._settings = settings
        self._inbox = inbox
        self._kernel = kernel
        self._over = Profile(rel=COMMAND_LINE, tables=dict(over or {}))
        of_all = ImageSettings.of(settings)
        self._of_all = Resolved(settings=of_all, kernel=_choice(of_all, kernel))

    def resolve(self, src_rel: str) -> Resolved:
        """Return the settings of an image as its files are at this moment.

        Args:
            src_rel: path of the image below the inbox, in `os.fsdecode` form.

        Raises:
            ImageSettingsError: a profile is refused; the message names file, key, value and cure.
            OSError: a disk fails.
        """
        found = profiles_of(self._inbox, src_rel)
        if not found:
            return self._of_all
        profiles = [*found, self._over]
        merged = _validated(_merged(self._settings, profiles), profiles)
        if merged.degradation.kernel not in ("bicubic", "auto"):
            _check_scale(merged, profiles)
        if self._settings.cluster.is_used and merged.zssr.start == "folder":
            author = _file_to_correct(_author(profiles, ["zssr", "start"]), profiles)
            raise ImageSettingsError(f"{author}: {START_FOLDER_FAULT}")
        merged, kernel = self._with_kernel(merged, profiles)
        rels = tuple(profile.rel for profile in found)
        return Resolved(settings=merged, kernel=kernel, profiles=rels)

    def _with_kernel(
        self, merged: ImageSettings, profiles: Sequence[Profile]
    ) -> tuple[ImageSettings, KernelChoice]:
        """Read the kernel file that a profile names, and set its absolute path."""
        path = merged.degradation.kernel
        author = _author(profiles, ["degradation", "kernel"])
        if author in (None, self._over) or not isinstance(path, Path):
            return merged, _choice(merged, self._kernel)
        rel, kernel = _read_kernel(self._inbox, author, path)
        placed = merged.degradation.model_copy(update={"kernel": self._inbox / rel})
        return merged.model_copy(update={"degradation": placed}), kernel


def _choice(settings: ImageSettings, configured: KernelFile | None) -> KernelChoice:
    kernel = settings.degradation.kernel
    if isinstance(kernel, Path):
        return configured
    return None if kernel == "bicubic" else kernel


def _merged(settings: Settings, profiles: Sequence[Profile]) -> dict[str, Any]:
    """Merge the raw tables, key by key; later files win."""
    tables: dict[str, Any] = {
        "zssr": settings.written_zssr(),
        "degradation": _written(settings.degradation),
        "output": _written(settings.output),
    }
    for profile in profiles:
        fault = contradiction(profile.tables)
        if fault is not None:
            raise ImageSettingsError(f"{printable(profile.rel)}: {fault}")
        tables = laid_over(tables, profile.tables)
    return tables


def _written(table: SettingsTable) -> dict[str, Any]:
    """Return only the keys that somebody wrote: a default must not win over another file."""
    return {key: getattr(table, key) for key in table.model_fields_set}


def _validated(tables: dict[str, Any], profiles: Sequence[Profile]) -> ImageSettings:
    try:
        return ImageSettings.model_validate(tables)
    except ValidationError as error:
        message = explain(
            error, _KNOWN, lambda names: _file_to_correct(_author(profiles, names), profiles)
        )
        raise ImageSettingsError(message) from error


def _author(profiles: Sequence[Profile], names: Sequence[str]) -> Profile | None:
    """Return the profile that sets a key, or a table; None if only settings.toml does."""
    authors = (profile for profile in reversed(profiles) if profile.sets(*names[:2]))
    return next(authors, None)


def _file_to_correct(author: Profile | None, profiles: Sequence[Profile]) -> str:
    """Return the name of the author's file; without an author, that of the strongest profile."""
    files = [profile for profile in profiles if profile.rel != COMMAND_LINE]
    return printable((author or files[-1]).rel)


def _check_scale(merged: ImageSettings, profiles: Sequence[Profile]) -> None:
    try:
        merged.zssr.in_one_pass()
    except ValueError as error:
        author = _author(profiles, ["zssr", "scale_factor"])
        raise ImageSettingsError(f"{_file_to_correct(author, profiles)}: [zssr] {error}") from error


def _read_kernel(inbox: Path, author: Profile, path: Path) -> tuple[str, KernelFile]:
    """Read the kernel that a profile names; return its path below the inbox, and the file."""
    setting = f"{printable(author.rel)}: [degradation] kernel = {printable(str(path))!r}"
    rel = _rel(inbox, author, path)
    if rel.startswith("../"):
        raise ImageSettingsError(f"{setting}: lies outside the inbox; put it beside the images")
    try:
        content = read_below(inbox, rel, KERNEL_FILE_BYTES)
    except ImageSettingsError as error:
        raise ImageSettingsError(f"{setting}: {error}") from error
    if content is None:
        raise ImageSettingsError(f"{setting}: no such file in the inbox; put it there")
    return rel, KernelFile(name=os.path.basename(rel), content=content)  # noqa: PTH119


def _rel(inbox: Path, author: Profile, path: Path) -> str:
    """Return a path relative to the inbox; a relative `path` counts from its profile's folder.

    Links need not be resolved: no file below the inbox is opened through one.
    """
    return os.path.relpath(os.path.normpath(inbox / author.folder / path), inbox)
