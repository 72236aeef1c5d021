"""Disk faults: which errors are about the disk or share, and which are about one file."""

import errno

import pytest

from zssr_daemon.system.disk_faults import is_away, is_disk_fault, is_full, is_unreadable

FULL = [errno.ENOSPC, errno.EDQUOT]
AWAY = [
    errno.EBUSY,
    errno.EHOSTDOWN,
    errno.EIO,
    errno.ENOTCONN,
    errno.EREMOTEIO,
    errno.EROFS,
    errno.ESTALE,
    errno.ETIMEDOUT,
]


def name_of(number: int) -> str:
    """Return the name of an errno, for the name of a test."""
    return errno.errorcode[number]


@pytest.mark.parametrize("number", FULL, ids=name_of)
def test_full_disk(number: int) -> None:
    """No space left, on the disk or within a quota: a fault of a disk that still serves."""
    assert is_full(number)
    assert not is_away(number)
    assert is_disk_fault(number)


@pytest.mark.parametrize("number", AWAY, ids=name_of)
def test_disk_that_does_not_serve(number: int) -> None:
    """Faulty, read-only, busy or out of reach: a fault of the disk, which is not full."""
    assert is_away(number)
    assert not is_full(number)
    assert is_disk_fault(number)


def test_bad_sector() -> None:
    """Only these can be about one file for ever; a busy file, or a share away, comes back."""
    numbers = [number for number in errno.errorcode if is_unreadable(number)]
    assert sorted(numbers) == sorted([errno.EIO, errno.EREMOTEIO])
    assert all(is_away(number) for number in numbers)


def test_every_other_error_is_about_one_file() -> None:
    """A file that is gone, or may not be read, accuses no disk; nor does an error without errno."""
    numbers: set[int | None] = {None, *errno.errorcode}
    others = numbers - set(FULL) - set(AWAY)
    assert {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG} <= others
    assert not any(is_disk_fault(number) for number in others)
