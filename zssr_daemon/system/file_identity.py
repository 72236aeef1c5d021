"""FileIdentity: which file this is, and whether it is still the same one."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """What `fstat` says about a file; two equal values mean nothing was written in between.

    `size` is in bytes, `mtime_ns` in nanoseconds since the epoch.
    """

    dev: int
    ino: int
    size: int
    mtime_ns: int

    @classmethod
    def from_stat(cls, status: os.stat_result) -> "FileIdentity":
        """Take the four fields out of a stat result."""
        return cls(
            dev=status.st_dev,
            ino=status.st_ino,
            size=status.st_size,
            mtime_ns=status.st_mtime_ns,
        )

    def has_stamp_of(self, other: "FileIdentity") -> bool:
        """Tell whether only the file system's numbers differ: device and inode."""
        return (self.size, self.mtime_ns) == (other.size, other.mtime_ns)
