"""FolderMark: how the ledger knows a folder again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderMark:
    """The token in a folder's marker file, and where its file system was mounted at that time."""

    token: str
    mount_point: str  # in `os.fsdecode` form
