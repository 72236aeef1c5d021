"""Mounts: which file system a folder is on, and whether its changes raise events."""

from pathlib import Path

import pytest

from zssr_daemon.system.mounts import Mount, mount_of, tells_of_changes, wants_legal_names

TABLE = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /srv rw - xfs /dev/sdb1 rw
31 30 0:26 / /srv/our\040scans rw - nfs4 nas:/scans rw
32 30 0:27 / /srv/over rw - ext4 /dev/sdc1 rw
33 32 0:28 / /srv/over rw shared:7 master:2 - fuse.sshfs host: rw
""".lstrip()


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/me", "ext4"),
        ("/srv", "xfs"),
        ("/srvx", "ext4"),
        ("/srv/our scans/inbox", "nfs4"),
        ("/srv/over/inbox", "fuse.sshfs"),
    ],
)
def test_innermost_and_uppermost_mount_counts(tmp_path: Path, folder: str, kind: str) -> None:
    """The longest mount point that holds the folder, and of equal ones the last, decides."""
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    assert mount_of(Path(folder), table).kind == kind


def test_our_own_root_has_a_type() -> None:
    """The real table is read; without a table the mount is unknown."""
    assert mount_of(Path("/")) == Mount("/", mount_of(Path("/")).kind) != Mount("", "unknown")
    assert mount_of(Path("/"), Path("/nowhere/mountinfo")) == Mount("", "unknown")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("ext4", True),
        ("overlay", True),
        ("fuseblk", True),
        ("unknown", True),
        ("nfs", False),
        ("nfs4", False),
        ("cifs", False),
        ("smb3", False),
        ("9p", False),
        ("fuse.sshfs", False),
        ("fuse", False),
    ],
)
def test_shares_and_fuse_are_scanned(kind: str, expected: bool) -> None:
    """Changes on network file systems raise no event; those on local disks do."""
    assert tells_of_changes(kind) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        *[(kind, True) for kind in ("vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk")],
        *[(kind, True) for kind in ("cifs", "smb3", "smbfs", "fuse.ntfs-3g", "drvfs", "vboxsf")],
        *[(kind, False) for kind in ("ext4", "xfs", "btrfs", "nfs4", "overlay", "tmpfs")],
        *[(kind, False) for kind in ("fuse.sshfs", "fuse", "9p", "unknown")],
    ],
)
def test_file_systems_of_windows_want_legal_names(kind: str, expected: bool) -> None:
    """And so do shares that Windows reads."""
    assert wants_legal_names(kind) is expected
