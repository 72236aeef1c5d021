"""GatewayDoor: one gateway of our code at a time, and no caller can harm the daemon."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.parts.daemon_parts import wait_until
from tests.parts.fake_executor import good
from tests.parts.gateway_wire import HELLO, OFFER, GatewayWire
from tests.parts.worker_parts import order_for
from zssr_daemon.executor import gateway_door, gateway_link
from zssr_daemon.executor.gateway_door import GatewayDoor, GatewayGone
from zssr_daemon.protocol.cluster_wire import (
    CLUSTER_SOCKET_NAME,
    MAX_FRAME_BYTES,
    Give,
    Kill,
    Start,
    Told,
    encode,
)
from zssr_daemon.protocol.messages import WorkDone, WorkProgress


@pytest.fixture
def door(tmp_path: Path) -> Iterator[GatewayDoor]:
    """Open a door, as a daemon does."""
    door = GatewayDoor(tmp_path)
    assert door.poll() == []
    yield door
    door.close()


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """Capture what is logged."""
    with capture_logs() as lines:
        yield lines


def said(door: GatewayDoor) -> list[Any]:
    """Wait until somebody has said something."""
    told: list[Any] = []

    def came() -> bool:
        told.extend(door.poll())
        return bool(told)

    wait_until(came, "somebody to say something")
    return told


def let_in(door: GatewayDoor, folder: Path) -> GatewayWire:
    """Come as a gateway should."""
    wire = GatewayWire(folder)
    wire.say(HELLO, OFFER)
    assert said(door) == [OFFER]
    return wire


def wait_for(door: GatewayDoor, log: list[Any], event: str) -> Any:
    """Wait until an event is logged while the door is polled, and return its line."""

    def is_there() -> bool:
        assert door.poll() == []
        return any(line["event"] == event for line in log)

    wait_until(is_there, event)
    return next(line for line in log if line["event"] == event)


def test_user_and_group_may_come(door: GatewayDoor, tmp_path: Path) -> None:
    """The socket lies where the control socket lies, with its mode."""
    assert (tmp_path / CLUSTER_SOCKET_NAME).stat().st_mode & 0o777 == 0o660
    assert len(door.connections()) == 1


STRANGERS = {
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "bytes": b"\x80\xff\x00\n",
    "list": b"[1]\n",
    "deep": b"[" * 100_000 + b"\n",
    "long": b"x" * (MAX_FRAME_BYTES + 1_000_000),
    "no hello": encode(OFFER),
    "order": encode(Start(slot="a", generation=1)),
    "version": encode(replace(HELLO, version="0.0.9")),
    "code": encode(replace(HELLO, code_sha256="0" * 64)),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_stranger_is_turned_away(
    door: GatewayDoor, tmp_path: Path, log: list[Any], stranger: str
) -> None:
    """It is said once why, however often it comes, and the next gateway is let in."""
    for _ in range(2):
        with GatewayWire(tmp_path) as wire:
            wire.connection.setblocking(False)
            unsent = STRANGERS[stranger]

            def is_hung_up_on() -> bool:
                nonlocal unsent
                assert door.poll() == []
                try:
                    unsent = unsent[wire.connection.send(unsent) :] if unsent else b""
                    return wire.connection.recv(1) == b""
                except BlockingIOError:
                    return False
                except OSError:
                    return True

            wait_until(is_hung_up_on, "the door to close")
    assert [line["event"] for line in log] == ["gateway_refused"]
    with let_in(door, tmp_path):
        assert [line["event"] for line in log] == ["gateway_refused", "gateway_connected"]


def test_mute_caller_is_sent_away(
    door: GatewayDoor, tmp_path: Path, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says nothing, or half a line, stands in the door for a while only."""
    for half in (b"", encode(HELLO)[:20]):
        monkeypatch.setattr(gateway_door, "_HELLO_S", 60.0)
        with GatewayWire(tmp_path) as wire:
            wire.connection.sendall(half)
            wait_until(lambda: door.poll() == [] and len(door.connections()) == 2, "a caller")
            monkeypatch.setattr(gateway_door, "_HELLO_S", 0.0)
            assert door.poll() == []
            assert len(door.connections()) == 1
            assert wire.is_hung_up_on()
    assert [line["event"] for line in log] == ["gateway_refused"]


def test_hello_in_pieces(door: GatewayDoor, tmp_path: Path) -> None:
    """A line may come in as many pieces as it likes."""
    with GatewayWire(tmp_path) as wire:
        for byte in encode(HELLO) + encode(OFFER)[:-1]:
            wire.connection.sendall(bytes([byte]))
            assert door.poll() == []
        wire.connection.sendall(b"\n")
        assert said(door) == [OFFER]


def test_second_gateway_is_turned_away(door: GatewayDoor, tmp_path: Path, log: list[Any]) -> None:
    """While the first lives, and notices nothing; then another may come."""
    with let_in(door, tmp_path) as first:
        with GatewayWire(tmp_path) as second:
            refused = wait_for(door, log, "gateway_refused")
            assert "another gateway" in refused["message"]
            assert second.is_hung_up_on()
        first.say(OFFER)
        assert said(door) == [OFFER]
    assert isinstance(said(door)[0], GatewayGone)
    with let_in(door, tmp_path):
        assert door.has_room


RUBBISH = {
    "text": b"rubbish\n",
    "unknown": b'{"frame": "Sing"}\n',
    "hello": encode(HELLO),
    "order": encode(Kill(slot="a", generation=1)),
    "end": None,
}


@pytest.mark.parametrize("rubbish", RUBBISH)
def test_gateway_that_talks_rubbish_is_gone(
    door: GatewayDoor, tmp_path: Path, log: list[Any], rubbish: str
) -> None:
    """As one is that hangs up."""
    with let_in(door, tmp_path) as wire:
        content = RUBBISH[rubbish]
        if content is None:
            wire.connection.shutdown(socket.SHUT_WR)
        else:
            wire.connection.sendall(content)
        (gone,) = said(door)
        assert isinstance(gone, GatewayGone)
        assert wire.is_hung_up_on()
    assert [line["event"] for line in log] == ["gateway_connected", "gateway_lost"]
    assert not door.has_room


def test_gateway_that_tells_what_cannot_be_is_gone(door: GatewayDoor, tmp_path: Path) -> None:
    """What names of files are made of is looked at before anybody believes it."""
    with let_in(door, tmp_path) as wire:
        (done,) = good(order_for(tmp_path))
        assert isinstance(done, WorkDone)
        evil = replace(done, suffix="/../../evil.sh")
        wire.say(Told(slot=OFFER.slot, generation=1, message=evil))
        (gone,) = said(door)
        assert isinstance(gone, GatewayGone)
        assert "evil" in gone.message


def test_gateway_that_does_not_read(door: GatewayDoor, tmp_path: Path) -> None:
    """It gets no further order until it has read, and nobody waits for it."""
    with let_in(door, tmp_path) as wire:
        give = long_order(tmp_path)
        sent = fill(door, give)
        assert door.unsent() == [door.connection]
        assert door.poll() == []
        heard: list[Any] = []
        while len(heard) < sent:
            heard += wire.heard()
            assert door.poll() == []
        assert heard == [give] * sent
        assert door.has_room
        assert door.unsent() == []


def test_gateway_that_never_reads_is_gone(
    door: GatewayDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept for it has a bound."""
    monkeypatch.setattr(gateway_link, "_MAX_UNSENT_BYTES", 1_200_000)
    with let_in(door, tmp_path):
        give = long_order(tmp_path)
        fill(door, give)
        for _ in range(3):
            door.send(give)
        (gone,) = said(door)
        assert isinstance(gone, GatewayGone)
        assert "does not read" in gone.message


def long_order(folder: Path) -> Give:
    """Return a frame of about 100 kB."""
    order = replace(order_for(folder), job_id="x" * 100_000)
    return Give(slot="a", generation=1, message=order)


def fill(door: GatewayDoor, give: Give) -> int:
    """Send until there is no room for more; return how often that was."""
    sent = 0
    while door.has_room:
        door.send(give)
        sent += 1
    return sent


def test_gateway_that_never_stops_talking(door: GatewayDoor, tmp_path: Path) -> None:
    """A tick takes a part of it; the rest waits on the gateway's side."""
    with let_in(door, tmp_path) as wire:
        progress = WorkProgress(
            job_id="x" * 1000, stage="fit", step=1, steps=2, fraction=0.5, loss=None, lr=None
        )
        line = encode(Told(slot="a", generation=1, message=progress))
        wire.connection.setblocking(False)
        unsent, told = line * 3000, 0
        while told < 3000:
            with suppress(BlockingIOError):
                unsent = unsent[wire.connection.send(unsent) :] if unsent else b""
            part = len(door.poll())
            assert part * len(line) <= gateway_link._READ_BYTES + len(line)
            told += part


def test_no_place_for_a_socket(tmp_path: Path, log: list[Any]) -> None:
    """The daemon goes on, and says so once."""
    door = GatewayDoor(tmp_path / "gone")
    assert door.poll() == door.poll() == []
    assert [line["event"] for line in log] == ["control_unavailable"]
    door.send(Start(slot="a", generation=1))
    door.close()
