"""Missing tools: a skip that names the package; a failure where CI must have installed it."""

import shutil

import pytest

from tests.parts import tools
from tests.parts.tools import tool


def test_tool_that_is_there() -> None:
    """Its path is returned."""
    assert tool("sh", package="dash") == shutil.which("sh")


def test_missing_tool_skips_and_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that who wants the test to run knows what to install."""
    monkeypatch.setattr(tools, "IS_SKIP_ALLOWED", True)
    with pytest.raises(pytest.skip.Exception, match="Debian package nothing-2"):
        tool("no-such-tool", package="nothing-2")


def test_missing_tool_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that CI does not run proves nothing."""
    monkeypatch.setattr(tools, "IS_SKIP_ALLOWED", False)
    with pytest.raises(pytest.fail.Exception, match="no-such-tool"):
        tool("no-such-tool", package="nothing-2")
