"""IgnoredNames: names of files and folders in which nobody looks for images.

The daemon passes them over, and the web page takes none.
"""

import fnmatch
import re
from collections.abc import Callable

from zssr_daemon.protocol.endings import NO_IMAGES

#: Temporary and system files, by name, in any case; `[watch] ignore` adds to these.
IGNORED_NAMES = (
    ".*",
    # Files that are still being written: downloads, copies, uploads.
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.filepart",
    "*.crdownload",
    "*.download",
    "*.opdownload",
    "*.fdmdownload",
    "*.upload",
    "*.uploading",
    "*.incomplete",
    "*.aria2",
    "*.!ut",
    "*.!qb",
    "*.!sync",
    "*.bc!",
    "*.sb-????????-??????",
    "~syncthing~*",
    # Copies and locks that editors leave.
    "~$*",
    "*~",
    "#*#",
    "*.swp",
    "*.swo",
    # What systems and storage devices leave: Windows, macOS, Linux, Synology, QNAP, NetApp.
    "thumbs.db",
    "ehthumbs.db",
    "desktop.ini",
    "$recycle.bin",
    "system volume information",
    "found.[0-9][0-9][0-9]",
    "__macosx",
    "network trash folder",
    "temporary items",
    "icon\r",
    "lost+found",
    "@eadir",
    "@tmp",
    "#recycle",
    "#snapshot",
    "@recycle",
    "@recently-snapshot",
    "~snapshot",
    *(f"*{ending}" for ending in NO_IMAGES),
)


def any_case(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Return what tells whether a name matches one of the patterns, in capitals or not."""
    return re.compile("|".join(map(fnmatch.translate, patterns)), re.IGNORECASE).match
