"""LocalExecutor on a machine with two cards, each with two processes: the cards are files here."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.parts.card_workers import CARDS, worker_of_a_card
from tests.parts.daemon_parts import wait_until
from tests.parts.worker_parts import QUIET, WORKER_MAIN, limits_of, order_for
from zssr_daemon.executor.interface import ExecutorEvent, WorkerEnded
from zssr_daemon.executor.local import LocalExecutor
from zssr_daemon.executor.local_worker import LocalWorker
from zssr_daemon.executor.placement import placements
from zssr_daemon.protocol.messages import WorkCancelled, WorkerReady
from zssr_daemon.settings.schema import Worker

NAMES = ("cuda:0", "cuda:1")


class TwoCards:
    """An executor on both cards, and the events that it has told."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        self.folder = folder
        for name in NAMES:
            (folder / name).touch()
        places = placements(Worker(devices=NAMES, processes_per_device=2, threads=3))
        self.executor = LocalExecutor(places, QUIET, limits_of(**limits))
        self.events: list[ExecutorEvent] = []

    def wait_for(self, kind: type, count: int) -> list[Any]:
        """Poll until so many events of a kind have come; return them and forget all."""

        def came() -> bool:
            self.events += self.executor.poll()
            return sum(isinstance(event, kind) for event in self.events) >= count

        wait_until(came, f"{count} {kind.__name__}")
        found = [event for event in self.events if isinstance(event, kind)]
        self.events = []
        return found

    def submit_all(self) -> Counter[str]:
        """Hand out orders while there is room; return how many each card got."""
        given: Counter[str] = Counter()
        while self.executor.has_room():
            place = self.executor.submit(order_for(self.folder, f"job {given.total()}"))
            assert place is not None
            given[place.device] += 1
        return given


@pytest.fixture
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TwoCards]:
    """Start the workers; each is replaced after one job."""
    monkeypatch.setenv(CARDS, str(tmp_path))
    monkeypatch.setattr(WORKER_MAIN, worker_of_a_card)
    cards = TwoCards(tmp_path, max_jobs=1)
    yield cards
    cards.executor.cancel_all(is_urgent=lambda: True)


def test_every_process_is_granted_its_part_and_recycled_on_its_card(cards: TwoCards) -> None:
    """Orders go to all four; each successor is on the same card, with the same part of it."""
    granted = [(name, "3 threads, 0.45 of the memory") for name in NAMES for _ in range(2)]
    for _ in range(2):
        ready = cards.wait_for(WorkerReady, 4)
        assert sorted((event.device, event.torch_version) for event in ready) == granted
        assert cards.submit_all() == {"cuda:0": 2, "cuda:1": 2}
        ended = [event.reason for event in cards.wait_for(WorkerEnded, 4)]
        assert ended == ["recycle"] * 4
        assert not cards.executor.is_lost()


def test_lost_card_leaves_the_other_at_work(cards: TwoCards) -> None:
    """Orders go to the card that is there; both lost, the executor is."""
    cards.wait_for(WorkerReady, 4)
    for name, others in (("cuda:1", {"cuda:0": 2}), ("cuda:0", {})):
        (cards.folder / name).unlink()
        for slot in cards.executor._slots:
            if slot.place.device == name and isinstance(slot.child, LocalWorker):
                os.kill(slot.child.pid, signal.SIGKILL)
        wait_until(partial(_are_lost, cards, name), f"the loss of {name}")
        assert cards.executor.is_lost() == (not others)
        if others:
            assert cards.submit_all() == others
            cards.wait_for(WorkCancelled, 2)
            cards.wait_for(WorkerReady, 2)


def _are_lost(cards: TwoCards, name: str) -> bool:
    cards.executor.poll()
    return all(slot.is_lost for slot in cards.executor._slots if slot.place.device == name)
