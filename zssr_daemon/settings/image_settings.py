"""ImageSettings: the tables that can differ from image to image, and their place in the ledger."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError

from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.protocol.kernel_file import KERNEL_FILE_BYTES, KernelFile
from zssr_daemon.settings.explain import explain
from zssr_daemon.settings.load import known_keys
from zssr_daemon.settings.profile_files import Profile, profiles_of, read_below
from zssr_daemon.settings.schema import Degradation, Output, Settings, SettingsTable, ZSSRTable
from zssr_daemon.system.file_names import printable


class ImageSettings(SettingsTable):
    """What holds for one image: all that shapes its output and its way."""

    zssr: ZSSRTable
    degradation: Degradation
    output: Output

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return what holds for an image that has no settings of its own."""
        return cls(zssr=settings.zssr, degradation=settings.degradation, output=settings.output)


_KNOWN = {table: known_keys()[table] for table in ImageSettings.model_fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What holds for an image, and which files besides settings.toml had a say."""

    settings: ImageSettings
    profiles: tuple[str, ...] = ()  # paths below the inbox
    kernel: KernelFile | None = None  # where one of them names it

    def kernel_or(self, configured: KernelFile | None) -> KernelFile | Literal["estimate"] | None:
        """Return what an order says of the kernel; `configured`: where settings.toml names it."""
        asked = self.settings.degradation.asked.kernel
        if asked == "estimate":
            return "estimate"
        return (self.kernel or configured) if isinstance(asked, Path) else None


def resolve(settings: Settings, inbox: Path, src_rel: str) -> Resolved:
    """Return what holds for an image below `inbox` at this instant.

    Raises:
        ImageSettingsError: a profile is refused; the message names file, key, value and cure.
        OSError: the disk is at fault.
    """
    profiles = profiles_of(inbox, src_rel)
    if not profiles:
        return Resolved(settings=ImageSettings.of(settings))
    merged = _validated(_merged(settings, profiles), profiles)
    rels = tuple(profile.rel for profile in profiles)
    path = merged.degradation.asked.kernel
    if path != "bicubic":
        _check_scale(merged, profiles)
    author = _author(profiles, ["degradation", "kernel"])
    if author is None or not isinstance(path, Path):
        return Resolved(settings=merged, profiles=rels)
    rel, kernel = _kernel(inbox, author, path)
    placed = merged.degradation.model_copy(update={"kernel": inbox / rel})
    merged = merged.model_copy(update={"degradation": placed})
    return Resolved(settings=merged, profiles=rels, kernel=kernel)


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


def _kernel(inbox: Path, author: Profile, path: Path) -> tuple[str, KernelFile]:
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
