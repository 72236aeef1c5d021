"""UploadNames: which names a browser may give to files and folders below a batch.

They become names in the inbox, so each part is looked at as the whole that it will be there.
"""

import os
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from zssr_daemon.imaging.formats import IMAGE_SUFFIXES
from zssr_daemon.protocol.ignored_names import IGNORED_NAMES, any_case
from zssr_daemon.web.guard.refusal import RefusedError

_MAX_NAME_BYTES = 200
_MAX_FOLDER_BYTES = 1000
_MAX_DEPTH = 16


class UploadNames:
    """The rules, with the patterns that `[watch] ignore` adds."""

    def __init__(self, ignore: tuple[str, ...]) -> None:
        self._is_ignored: Callable[[str], object] = any_case(IGNORED_NAMES + ignore)

    def file(self, raw: bytes) -> str:
        """Return the name of a file, from a part of a path as it was sent.

        Raises:
            RefusedError: it is no such name, or does not end as those of images do.
        """
        name = self._checked(_decoded(raw))
        if os.path.splitext(name)[1].lower() not in IMAGE_SUFFIXES:  # noqa: PTH122 (a name only)
            cure = f"names end in {', '.join(sorted(IMAGE_SUFFIXES))}"
            raise RefusedError(
                415, f"{name}: its ending is not that of a picture that is read", cure
            )
        return name

    def folders(self, header: str) -> tuple[str, ...]:
        """Return the folders below the batch that a header names; none of an empty one.

        Raises:
            RefusedError: it leads elsewhere, or too deep.
        """
        if not header:
            return ()
        text = _decoded(header.encode("latin-1"))
        if len(text.encode()) > _MAX_FOLDER_BYTES or text.count("/") >= _MAX_DEPTH:
            raise RefusedError(400, "folders are nested too deep", "drop the inner folder itself")
        return tuple(map(self._checked, text.split("/")))

    def _checked(self, name: str) -> str:
        fault = None
        if name in {"", ".", ".."} or "/" in name or not name.isprintable():
            fault = "no name for a file or folder"
        elif len(name.encode()) > _MAX_NAME_BYTES:
            fault = f"longer than {_MAX_NAME_BYTES} bytes"
        elif self._is_ignored(name):
            fault = "a name that the daemon passes over"
        if fault is not None:
            raise RefusedError(400, f"{name!r:.60}: {fault}", "rename it, and drop it again")
        return name


def _decoded(raw: bytes) -> str:
    try:
        return unquote_to_bytes(raw).decode()
    except UnicodeDecodeError as error:
        raise RefusedError(400, "the name is not UTF-8", "rename it, and drop it again") from error
