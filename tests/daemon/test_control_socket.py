"""The control socket: whoever may ask is answered, and nobody can hold the daemon up."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zssr_daemon.daemon.control import control_socket
from zssr_daemon.daemon.control.control_socket import ControlSocket
from zssr_daemon.daemon.signals import Signals
from zssr_daemon.errors import DaemonSilentError, NoDaemonError
from zssr_daemon.protocol.control import SOCKET_NAME, ask, short_name


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlSocket]:
    """Open a socket in a state folder whose path is longer than an address may be."""
    folder = tmp_path / ("deep" * 30)
    folder.mkdir()
    server = ControlSocket(folder)
    server.ensure_open(time.monotonic())
    yield server
    server.close()


def serve(server: ControlSocket, stop: threading.Event) -> None:
    """Echo every question, as a daemon's loop would."""
    while not stop.is_set():
        for call in server.poll(time.monotonic()):
            call.answer(echo=call.request)
        time.sleep(0.005)


@pytest.fixture
def served(server: ControlSocket) -> Iterator[ControlSocket]:
    """Serve it from a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(server, stop))
    thread.start()
    yield server
    stop.set()
    thread.join()


def test_question_is_answered(served: ControlSocket) -> None:
    """One JSON object each way, however deep the folder lies."""
    folder = served.path.parent
    assert ask(folder, command="status", name="ä") == {"echo": {"command": "status", "name": "ä"}}


def test_user_and_group_may_ask(server: ControlSocket) -> None:
    """The mode of the socket lets nobody else in."""
    assert server.path.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("junk", [b"", b"no json\n", b"[1]\n", b"\xff\n", b"x" * 200_000])
def test_junk_is_hung_up_on(served: ControlSocket, junk: bytes) -> None:
    """The daemon hangs up, and answers the next caller."""
    with socket.socket(socket.AF_UNIX) as caller:
        with short_name(served.path) as name:
            caller.connect(name)
        try:
            caller.sendall(junk)
            caller.shutdown(socket.SHUT_WR)
            answer = caller.recv(100)
        except OSError:  # hung up before all was sent
            answer = b""
        assert answer == b""
    assert "echo" in ask(served.path.parent, command="x")


def test_mute_caller_holds_nobody_up(server: ControlSocket) -> None:
    """It takes up one place until its time is over, and then none."""
    now = time.monotonic()
    with socket.socket(socket.AF_UNIX) as mute:
        with short_name(server.path) as name:
            mute.connect(name)
        assert server.poll(now) == []
        assert len(server.connections()) == 2
        assert server.poll(now + 11.0) == []
        assert len(server.connections()) == 1


def test_silent_daemon(server: ControlSocket) -> None:
    """A daemon that listens and does not answer is another error than no daemon."""
    with pytest.raises(DaemonSilentError, match="does not answer"):
        ask(server.path.parent, timeout_s=0.05, command="status")


@pytest.mark.parametrize("leftover", ["nothing", "socket", "file"])
def test_no_daemon(tmp_path: Path, leftover: str) -> None:
    """What a dead daemon left is not taken for a daemon."""
    if leftover == "socket":
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / SOCKET_NAME))
    elif leftover == "file":
        (tmp_path / SOCKET_NAME).touch()
    with pytest.raises(NoDaemonError, match="no daemon is running"):
        ask(tmp_path, command="status")


def test_leftovers_are_replaced(tmp_path: Path) -> None:
    """The next daemon takes the place of a killed one."""
    (tmp_path / SOCKET_NAME).touch()
    server = ControlSocket(tmp_path)
    server.ensure_open(time.monotonic())
    assert server.path.is_socket()
    server.close()
    assert list(tmp_path.iterdir()) == []


def test_removed_socket_comes_back(server: ControlSocket) -> None:
    """Tidying up by mistake needs no restart."""
    server.path.unlink()
    server.ensure_open(time.monotonic() + 10.0)
    assert server.path.is_socket()


def test_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under systemd the socket lies in /run, and is found from the state folder."""
    state, runtime = tmp_path / "state", tmp_path / "run"
    state.mkdir()
    runtime.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{runtime}:/run/other")
    server = ControlSocket(state)
    server.ensure_open(time.monotonic())
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    found: list[dict[str, Any]] = []
    asking = threading.Thread(target=lambda: found.append(ask(state, command="x")))
    asking.start()
    while not (calls := server.poll(time.monotonic())):
        time.sleep(0.005)
    calls[0].answer(ok=True)
    asking.join()
    assert found == [{"ok": True}]
    assert (runtime / SOCKET_NAME).is_socket()
    server.close()
    assert [*state.iterdir(), *runtime.iterdir()] == []


def test_no_place_for_a_socket(tmp_path: Path) -> None:
    """The error of the system is raised; the daemon can go on without a socket."""
    server = ControlSocket(tmp_path / "gone")
    with pytest.raises(FileNotFoundError):
        server.ensure_open(time.monotonic())
    assert server.poll(0.0) == []
    assert server.connections() == []
    server.close()


#: More than the system takes at once.
LONG = "x" * 3_000_000


def connected(server: ControlSocket) -> socket.socket:
    """Return a caller that has asked something and has read nothing yet."""
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(10.0)
    with short_name(server.path) as name:
        caller.connect(name)
    caller.sendall(b"{}\n")
    return caller


def test_rest_of_a_reply_follows(server: ControlSocket) -> None:
    """What does not fit at once ends the daemon's nap as soon as the caller reads."""
    now, signals = time.monotonic(), Signals()
    with connected(server) as caller:
        (call,) = server.poll(now)
        call.answer(text=LONG)
        read = b""
        while not read.endswith(b"\n"):
            read += caller.recv(1 << 20)
            if server.unsent():
                signals.nap([], 10.0, unsent=server.unsent())
            assert server.poll(now) == []
    assert read == b'{"text": "' + LONG.encode() + b'"}\n'
    assert server.unsent() == []
    signals.close()


def test_caller_that_does_not_read_is_hung_up_on(server: ControlSocket) -> None:
    """A reply that nobody reads takes up one place until its time is over, and then none."""
    now = time.monotonic()
    with connected(server):
        (call,) = server.poll(now)
        call.answer(text=LONG)
        assert server.poll(now + 5.0) == []
        assert len(server.unsent()) == 1
        assert server.poll(now + 11.0) == []
        assert server.unsent() == []


def test_caller_that_leaves_amid_a_reply_is_forgotten(server: ControlSocket) -> None:
    """The daemon goes on."""
    now = time.monotonic()
    with connected(server):
        (call,) = server.poll(now)
        call.answer(text=LONG)
    assert server.poll(now) == []
    assert server.unsent() == []


def test_reply_beyond_all_bounds_is_refused(
    server: ControlSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller learns that it has to ask for less."""
    monkeypatch.setattr(control_socket, "MAX_REPLY_BYTES", 1000)
    with connected(server) as caller:
        (call,) = server.poll(time.monotonic())
        call.answer(text=LONG)
        assert b"ask for less" in caller.recv(1000)
