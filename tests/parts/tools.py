"""Tools: programs that a test needs and that pip does not install."""

import os
import shutil

import pytest

#: Read here, at import: the fixtures hide all ZSSR_ variables from the daemon.
IS_SKIP_ALLOWED = os.environ.get("ZSSR_NO_SKIP") != "1"


def tool(name: str, *, package: str) -> str:
    """Return the path of a program; a test that misses it is skipped, or fails in CI.

    Args:
        name: of the program.
        package: of Debian, that holds it; `.ci/run` installs it and sets ZSSR_NO_SKIP=1.
    """
    path = shutil.which(name)
    if path is not None:
        return path
    told = f"{name} is not installed (Debian package {package})"
    if IS_SKIP_ALLOWED:
        pytest.skip(told)
    pytest.fail(told)
