"""Fixtures for tests of settings."""

import os

import pytest


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ZSSR_")]:
        monkeypatch.delenv(name)
