"""Signals: the nap of the loop ends when something can be read, or written to."""

import socket
from collections.abc import Iterator

import pytest

from zssr_daemon.daemon.signals import Signals

#: Longer than any test may take: a nap that does not end fails by that.
LONG_S = 1e6


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Make them, and close them."""
    signals = Signals()
    yield signals
    signals.close()


def test_one_end_may_be_waited_for_in_both_ways(signals: Signals) -> None:
    """As the connection of a gateway that is to be heard, and has not read all it was sent."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        signals.nap([ours], LONG_S, unsent=[ours])  # it can be written to
        theirs.sendall(b"!")
        signals.nap([ours], LONG_S)
        ours.setblocking(False)
        while True:
            try:
                ours.send(bytes(1 << 20))
            except BlockingIOError:
                break
        signals.nap([ours], LONG_S, unsent=[ours])  # it can be read
