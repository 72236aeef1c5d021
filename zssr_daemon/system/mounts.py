"""Mounts: on what file system a folder lies, from the kernel's own table."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

#: Changes made by another machine, or behind the kernel's back, raise no event on these.
_SILENT = re.compile(r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|lustre|glusterfs|fuse(\..+)?|vboxsf")
#: Mounted through FUSE, but changed by this kernel only.
_LOCAL_FUSE = frozenset({"fuseblk"})


@dataclass(frozen=True, slots=True)
class Mount:
    """A file system where it is mounted: its place, and its type ("ext4", "nfs4", "fuse.sshfs")."""

    point: str  # in `os.fsdecode` form; "" where the table cannot be read
    kind: str  # "unknown" where the table cannot be read


def mount_of(folder: Path, mountinfo: Path = MOUNTINFO) -> Mount:
    """Say which mount `folder` lies on."""
    wanted = os.fsencode(folder.resolve())
    best = Mount("", "unknown")
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:
        return best
    for line in lines:
        before, _, after = line.partition(b" - ")
        point = _unescape(before.split(b" ")[4])
        # The last of equally long mount points lies on top of the others.
        if _holds(point, wanted) and len(point) >= len(os.fsencode(best.point)):
            best = Mount(os.fsdecode(point), after.split(b" ")[0].decode())
    return best


def tells_of_changes(kind: str) -> bool:
    """Tell whether inotify hears of every change on a file system of this type."""
    return kind in _LOCAL_FUSE or _SILENT.fullmatch(kind) is None


def _holds(point: bytes, path: bytes) -> bool:
    return path == point or path.startswith(point.rstrip(b"/") + b"/")


def _unescape(field: bytes) -> bytes:
    r"""Undo the kernel's octal escapes (\040 for a space)."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
