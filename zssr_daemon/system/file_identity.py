"""FileIdentity: which file this is, and whether its content is still the same."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIdentity:
    """What `fstat` says about a file; if it says the same twice, nothing was written in between.

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
        """Tell whether size and time are equal, whatever device and inode are."""
        return (self.size, self.mtime_ns) == (other.size, other.mtime_ns)
