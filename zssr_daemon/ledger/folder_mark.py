"""FolderMark: how the ledger knows a folder again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderMark:
    """The token in a folder's marker file, and where its file system was mounted at that time.

    A folder that cannot be written to has no marker file; its inode is the token.
    """

    token: str
    mount_point: str  # in `os.fsdecode` form
