"""Fixtures for tests of publishing."""

import pytest

from tests.parts.publish_parts import FileMoves, marked
from zssr_daemon.ledger.ledger import Ledger
from zssr_daemon.settings.schema import Settings


@pytest.fixture
def publisher(settings: Settings, ledger: Ledger) -> FileMoves:
    """Return a publisher on `settings`."""
    return FileMoves(settings, ledger, marked(settings, ledger))
