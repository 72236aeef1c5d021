"""Prober: one answer for each file, whatever happens to the decoder."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.daemon_parts import HOSTILE_NAMES, drop, no_python, wait_until
from tests.parts.picture_files import LIMITS
from tests.parts.replaced_probe import probe_that_raises
from zssr_daemon.inbox import prober as prober_module
from zssr_daemon.inbox.probe import ProbeRequest, ProbeResult
from zssr_daemon.inbox.prober import Prober
from zssr_daemon.system import start_retry


@pytest.fixture(scope="module")
def prober() -> Iterator[Prober]:
    """One prober for all tests; whatever one of them does to its child, it must go on."""
    prober = Prober(LIMITS)
    yield prober
    prober.stop()
    assert prober.connections() == []


def ask(prober: Prober, folder: Path, *names: str) -> None:
    """Ask about files."""
    for name in names:
        prober.submit(ProbeRequest(root=str(folder), rel_path=name))


def answers(prober: Prober) -> list[ProbeResult]:
    """Wait until every file has its answer."""
    results: list[ProbeResult] = []

    def poll() -> bool:
        results.extend(prober.poll())
        return prober.is_idle

    wait_until(poll, "the probe")
    return results


def child_pid(prober: Prober) -> int:
    """Return the process that decodes now."""
    assert prober._child is not None
    return prober._child.pid


def test_files_are_answered_in_order(prober: Prober, tmp_path: Path) -> None:
    """Answers come in order, for names of any bytes."""
    for name in HOSTILE_NAMES:
        drop(tmp_path, name)
    ask(prober, tmp_path, *HOSTILE_NAMES)
    assert not prober.is_idle
    results = answers(prober)
    assert [result.request.rel_path for result in results] == HOSTILE_NAMES
    assert [result.reason for result in results] == [None] * len(HOSTILE_NAMES)


def test_killed_decoder_costs_one_file(prober: Prober, tmp_path: Path) -> None:
    """The file in hand is refused, and the next one gets a new decoder."""
    drop(tmp_path, "a.png")
    os.mkfifo(tmp_path / "slow.png")
    ask(prober, tmp_path, "a.png")
    answers(prober)
    os.kill(child_pid(prober), signal.SIGSTOP)  # so that it cannot answer before it is killed
    ask(prober, tmp_path, "a.png", "a.png")
    os.kill(child_pid(prober), signal.SIGKILL)
    results = answers(prober)
    assert [result.reason for result in results] == ["corrupt", None]
    assert "the decoder died while it read this file (exit code -9)" in str(results[0].message)


def test_decoder_that_died_idle_costs_no_file(prober: Prober, tmp_path: Path) -> None:
    """No file is refused for a decoder that died before."""
    drop(tmp_path, "a.png")
    ask(prober, tmp_path, "a.png")
    answers(prober)
    os.kill(child_pid(prober), signal.SIGKILL)
    wait_until(lambda: prober._child is None or not prober._child.is_alive)
    ask(prober, tmp_path, "a.png")
    assert [result.reason for result in answers(prober)] == [None]


def test_endless_decoding_is_ended(
    prober: Prober, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that takes too long is failed, and the prober goes on."""
    drop(tmp_path, "a.png")
    ask(prober, tmp_path, "a.png")
    answers(prober)
    os.kill(child_pid(prober), signal.SIGSTOP)
    monkeypatch.setattr(prober_module, "DECODE_TIMEOUT_S", 0.05)
    ask(prober, tmp_path, "a.png")
    (result,) = answers(prober)
    monkeypatch.undo()
    assert (result.reason, result.message) == ("corrupt", "not decoded within 0 s")
    ask(prober, tmp_path, "a.png")
    assert [result.reason for result in answers(prober)] == [None]


def test_stop_forgets_what_was_asked(tmp_path: Path) -> None:
    """Stopping in the middle leaves no child, and nothing to wait for."""
    prober = Prober(LIMITS)
    drop(tmp_path, "a.png")
    ask(prober, tmp_path, "a.png", "a.png")
    pid = child_pid(prober)
    prober.stop()
    assert prober.is_idle
    assert prober.poll() == []
    assert not Path(f"/proc/{pid}").exists()


class TestProbeThatCannotStart:
    """As while Python or a package is replaced: the files wait, and none is to blame."""

    @pytest.fixture
    def prober(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prober]:
        """Return a prober without a child, which waits for nothing."""
        monkeypatch.setattr(start_retry, "START_RETRY_S", 0.0)
        prober = Prober(LIMITS)
        yield prober
        prober.stop()

    def test_blames_no_file(self, prober: Prober, tmp_path: Path) -> None:
        """After the second failed start the fault is told; it ends when a probe is ready."""
        drop(tmp_path, "a.png")
        with no_python():
            ask(prober, tmp_path, "a.png", "a.png")
            wait_until(lambda: prober.poll() or prober.fault, "the fault")
        assert "no probe process can start" in str(prober.fault)
        assert not prober.is_idle
        assert [result.reason for result in answers(prober)] == [None, None]
        assert prober.fault is None

    def test_is_killed_while_it_loads(self, prober: Prober, tmp_path: Path) -> None:
        """One start that fails is no fault yet: the next one follows at once."""
        drop(tmp_path, "a.png")
        ask(prober, tmp_path, "a.png")
        os.kill(child_pid(prober), signal.SIGKILL)
        assert [result.reason for result in answers(prober)] == [None]
        assert prober.fault is None


def test_exception_in_the_probe_gives_a_file_a_second_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It may be the program that was replaced; a file that ends two probes is refused."""
    monkeypatch.setattr(prober_module, "probe_main", probe_that_raises)
    prober = Prober(LIMITS)
    ask(prober, tmp_path, "a.png", "b.png")
    results = answers(prober)
    prober.stop()
    assert [result.reason for result in results] == [None, "corrupt"]
    assert capfd.readouterr().err.count("ImportError: replaced") == 3
