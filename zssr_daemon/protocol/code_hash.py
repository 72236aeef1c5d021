"""CodeHash: which code this installation has, so that machines working together can compare."""

import hashlib
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent.parent


@cache
def code_sha256() -> str:
    """Return a hash over names and contents of the package's modules, as they were first read.

    Raises:
        OSError: a module cannot be read.
    """
    return hash_of_modules(_PACKAGE)


def hash_of_modules(folder: Path) -> str:
    """Return a hash over the relative paths and the contents of all `*.py` below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name, content = path.relative_to(folder).as_posix().encode(), path.read_bytes()
        for part in (name, content):
            # With its length before it, no part can pass for the end of the one before.
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
