"""LegalNames: names as the file system of a folder accepts them, and its other users too.

Windows and its file systems refuse names that are legal elsewhere, such as those with a colon.
"""

import errno
from pathlib import Path

from zssr_daemon.system.file_names import legal
from zssr_daemon.system.mounts import mount_of, wants_legal_names

#: How a file system that nobody knew to be one of them refuses a name.
_REFUSED = frozenset({errno.EINVAL, errno.EILSEQ})


class LegalNames:
    """Names below one folder; it learns from a refusal that they must be legal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._is_taught = False

    def rel(self, rel: str) -> str:
        """Return a path below the folder, changed where its file system asks for that.

        The same path always becomes the same; two different ones may become the same too.
        """
        is_asked = self._is_taught or wants_legal_names(mount_of(self._folder).kind)
        return legal(rel) if is_asked else rel

    def learn(self, error: OSError) -> bool:
        """Tell whether an error is the first refusal of a name, so that another try may help."""
        if self._is_taught or error.errno not in _REFUSED:
            return False
        self._is_taught = True
        return True
