"""Disk faults: the errors of the system that say a disk or share failed, not one file."""

import errno

#: The disk, or the user's quota on it, is full.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

#: The disk or share is faulty, read-only, busy or out of reach.
_AWAY = frozenset(
    {
        errno.EBUSY,
        errno.EHOSTDOWN,
        errno.EIO,
        errno.ENOTCONN,
        errno.EREMOTEIO,
        errno.EROFS,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)

#: The disk, or the part of it that a file lies on, cannot be read.
_UNREADABLE = frozenset({errno.EIO, errno.EREMOTEIO})


def is_full(number: int | None) -> bool:
    """Tell whether an errno says that there is no space left."""
    return number in _FULL


def is_away(number: int | None) -> bool:
    """Tell whether an errno says that the disk or share does not serve anybody now."""
    return number in _AWAY


def is_unreadable(number: int | None) -> bool:
    """Tell whether an errno can be about a whole disk, or about a bad sector under one file."""
    return number in _UNREADABLE


def is_disk_fault(number: int | None) -> bool:
    """Tell whether an errno is about the disk or share, and says nothing about the file."""
    return is_full(number) or is_away(number)
