"""Mounts: which file system a folder is on, by the kernel's table."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

#: On these types, changes that another machine or a user program makes raise no event.
_SILENT = re.compile(r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|lustre|glusterfs|fuse(\..+)?|vboxsf")
#: FUSE file systems that only this machine changes.
_LOCAL_FUSE = frozenset({"fuseblk"})

#: File systems of Windows, and shares and folders whose names it must be able to read.
_OF_WINDOWS = re.compile(
    r"msdos|vfat|exfat|ntfs3?|fuseblk|fuse\.(ntfs.*|exfat.*|vmhgfs.*)|cifs|smb\d?|smbfs|drvfs|vboxsf"
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: its mount point, and its type ("ext4", "nfs4", "fuse.sshfs")."""

    point: str  # in `os.fsdecode` form; "" where the table cannot be read
    kind: str  # "unknown" where the table cannot be read
    is_read_only: bool = False  # as somebody mounted it; a disk that failed since is not


def mount_of(folder: Path, mountinfo: Path = MOUNTINFO) -> Mount:
    """Return the mount that `folder` is on."""
    wanted = os.fsencode(folder.resolve())
    best = Mount("", "unknown")
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:
        return best
    for line in lines:
        before, _, after = line.partition(b" - ")
        fields = before.split(b" ")
        point, options = _unescape(fields[4]), fields[5].split(b",")
        # Of equal mount points, the last one hides the others.
        if _holds(point, wanted) and len(point) >= len(os.fsencode(best.point)):
            kind = after.split(b" ")[0].decode()
            best = Mount(os.fsdecode(point), kind, is_read_only=b"ro" in options)
    return best


def tells_of_changes(kind: str) -> bool:
    """Tell whether inotify reports every change on a file system of this type."""
    return kind in _LOCAL_FUSE or _SILENT.fullmatch(kind) is None


def wants_legal_names(kind: str) -> bool:
    """Tell whether names on a file system of this type must be legal under Windows."""
    return _OF_WINDOWS.fullmatch(kind) is not None


def _holds(point: bytes, path: bytes) -> bool:
    return path == point or path.startswith(point.rstrip(b"/") + b"/")


def _unescape(field: bytes) -> bytes:
    r"""Undo the kernel's octal escapes (\040 for a space)."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
