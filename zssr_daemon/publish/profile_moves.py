"""Profile moves: an image's own profiles, NAME.toml, follow it out of the inbox and back.

Each step can be repeated after a crash. A profile stays while it counts for another image of the
folder, or for a new image that has taken the place of the one that left.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zssr_daemon.errors import ImageSettingsError
from zssr_daemon.failpoints import Failpoint, reach
from zssr_daemon.imaging.formats import IMAGE_SUFFIXES
from zssr_daemon.protocol.endings import PROFILE
from zssr_daemon.settings.profile_files import FOLDER_PROFILE, PROFILE_BYTES, own_names, read_below
from zssr_daemon.system import durable
from zssr_daemon.system.durable import ReplacedError


def follow(source: Path, target: Path, *, is_shared_out: bool) -> None:
    """Move the profiles of an image that was moved from `source` to `target`.

    Args:
        source: the image's former path.
        target: its present path.
        is_shared_out: whether a profile that must stay for another image is copied.

    Raises:
        OSError: a disk fails.
    """
    for profile in _profiles_at(source):
        whole = target.with_name(target.name + PROFILE)
        if not _is_needed(profile, source):
            move_to_first_free(profile, [_renamed(profile, source, target), whole])
        elif is_shared_out and not os.path.lexists(whole):
            _copy(profile, whole)
        reach(Failpoint.PROFILE_MOVED)


def remove(source: Path) -> None:
    """Delete the profiles of an image that was deleted at `source`, durably."""
    for profile in _profiles_at(source):
        if not _is_needed(profile, source):
            profile.unlink(missing_ok=True)
            durable.fsync_folder(profile.parent)
        reach(Failpoint.PROFILE_MOVED)


def _profiles_at(source: Path) -> Iterator[Path]:
    """Yield the files beside an image that have the names of its profiles."""
    for name in own_names(source.name):
        profile = source.with_name(name)
        with suppress(OSError):  # there is no such file, or its name would be too long
            if not stat.S_ISDIR(profile.lstat().st_mode):
                yield profile


def _is_needed(profile: Path, source: Path) -> bool:
    """Tell whether the profile counts for an image that is still in its folder."""
    if os.path.lexists(source):
        return True
    with os.scandir(source.parent) as entries:
        return any(
            profile.name in own_names(entry.name)
            for entry in entries
            if os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122
        )


def _renamed(profile: Path, source: Path, target: Path) -> Path:
    """Return a profile's path after its image's new name; the whole name or the stem, as before."""
    is_whole = profile.name == source.name + PROFILE
    name = target.name if is_whole else os.path.splitext(target.name)[0]  # noqa: PTH122
    renamed = target.with_name(name + PROFILE)
    return target.with_name(target.name + PROFILE) if renamed.name == FOLDER_PROFILE else renamed


def move_to_first_free(file: Path, targets: list[Path]) -> None:
    """Move a file to the first name that is free; where none is, it stays."""
    identity = durable.identity_of(file)
    for target in targets:
        with suppress(FileExistsError, ReplacedError):
            if identity is not None:
                durable.move_no_replace(file, target, identity=identity, may_be_reserved=True)
            return


def _copy(profile: Path, target: Path) -> None:
    with suppress(ImageSettingsError):  # a profile that cannot be read safely is not copied
        content = read_below(profile.parent, profile.name, PROFILE_BYTES)
        if content is not None:
            durable.write_new(target, content, mode=profile.stat().st_mode)
