"""Profile: a file of the inbox with settings for the images of a folder, or for one image.

`zssr.toml` applies to the images of its folder and of the folders below it, except below another
zssr.toml. `NAME.toml` beside an image applies to that image alone.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zssr_daemon.errors import ImageError, ImageSettingsError
from zssr_daemon.protocol.endings import PROFILE
from zssr_daemon.settings.toml_text import parse_toml
from zssr_daemon.system.file_names import printable
from zssr_daemon.system.safe_open import read_small

FOLDER_PROFILE = "zssr.toml"

#: The largest file that is read as a profile; all keys there are need a tenth of it.
PROFILE_BYTES = 64_000

#: Of the file; all other errors are the disk's, and pass.
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The content of one such file.

    `rel` is its path relative to the inbox, in `os.fsdecode` form; so is every `rel` in the code.
    """

    rel: str
    tables: dict[str, Any]

    @property
    def folder(self) -> str:
        """Its folder, relative to the inbox; empty for the inbox itself."""
        return os.path.dirname(self.rel)  # noqa: PTH120 (any bytes are legal)

    def sets(self, table: str, key: str | None = None) -> bool:
        """Tell whether it has a table, or a key in that table."""
        values = self.tables.get(table)
        return values is not None and (key is None or (isinstance(values, dict) and key in values))


def profiles_of(inbox: Path, src_rel: str) -> list[Profile]:
    """Read the profiles that apply to an image below `inbox`, the stronger one last.

    Raises:
        ImageSettingsError: one is a link, not a plain file, too large, unreadable or not TOML.
        OSError: the disk is at fault.
    """
    own = [os.path.join(os.path.dirname(src_rel), name) for name in own_names(src_rel)]  # noqa: PTH118, PTH120
    found = (_first(inbox, rels) for rels in (_folder_rels(src_rel), own))
    return [profile for profile in found if profile is not None]


def own_names(src_rel: str) -> list[str]:
    """Return the names of the profiles of one image, the stronger first.

    They are called after its whole name, so that a.png and a.jpg can differ, or after its stem.
    """
    name = os.path.basename(src_rel)  # noqa: PTH119
    names = [name + PROFILE, os.path.splitext(name)[0] + PROFILE]  # noqa: PTH122
    return [name for name in dict.fromkeys(names) if name != FOLDER_PROFILE]


def read_below(inbox: Path, rel: str, max_bytes: int) -> bytes | None:
    """Return what a file below `inbox` holds, None where there is none.

    Raises:
        ImageSettingsError: it is a link, no plain file, too large, or may not be read.
        OSError: the disk is at fault.
    """
    try:
        content = read_small(inbox, rel, max_bytes)
    except ImageError as error:
        raise ImageSettingsError(f"{printable(rel)}: {error}; put a plain file there") from error
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise
        cure = "let the user that runs the daemon read it"
        raise ImageSettingsError(f"{printable(rel)}: {error.strerror}; {cure}") from error
    if content is not None and len(content) > max_bytes:
        raise ImageSettingsError(f"{printable(rel)}: more than {max_bytes} bytes; make it smaller")
    return content


def _folder_rels(src_rel: str) -> Iterator[str]:
    """Yield where a zssr.toml for an image may lie, the nearest place first."""
    folder = src_rel
    while folder:
        folder = os.path.dirname(folder)  # noqa: PTH120
        yield os.path.join(folder, FOLDER_PROFILE)  # noqa: PTH118


def _first(inbox: Path, rels: Iterable[str]) -> Profile | None:
    for rel in rels:
        content = read_below(inbox, rel, PROFILE_BYTES)
        if content is not None:
            return Profile(rel=rel, tables=_parsed(rel, content))
    return None


def _parsed(rel: str, content: bytes) -> dict[str, Any]:
    try:
        return parse_toml(content)
    except ValueError as error:
        raise ImageSettingsError(f"{printable(rel)}: {error}") from error
