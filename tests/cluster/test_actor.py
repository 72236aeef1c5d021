"""The link of a worker in an actor's process: what the gateway hears of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.parts.worker_parts import order_for, sign_of_life
from zssr_daemon.cluster import actor
from zssr_daemon.cluster.actor import QueueLink
from zssr_daemon.protocol.messages import WorkerLoaded


def test_news_wait_in_order(tmp_path: Path) -> None:
    """All of them, once; and what the gateway gives can be asked for without waiting."""
    link = QueueLink()
    order = order_for(tmp_path)
    assert not link.poll()
    link.give(order)
    assert link.poll()
    assert link.recv() == order
    link.send(WorkerLoaded())
    progress = sign_of_life(order, patience_s=0.0)
    link.send(progress)
    assert link.news() == [WorkerLoaded(), progress]


def test_signs_of_life_that_say_nothing_new_are_few(tmp_path: Path) -> None:
    """Another stage, another job and another patience are told at once."""
    link = QueueLink()
    first = sign_of_life(order_for(tmp_path), patience_s=0.0)
    others = [
        replace(first, stage="encode"),
        replace(first, stage="encode", patience_s=9.0),
        replace(first, stage="encode", patience_s=9.0, job_id="next"),
    ]
    for progress in (first, replace(first, fraction=0.6), *others):
        link.send(progress)
    assert link.news() == [first, *others]


def test_signs_of_life_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says nothing new is told when it is due."""
    link = QueueLink()
    progress = sign_of_life(order_for(tmp_path), patience_s=0.0)
    link.send(progress)
    monkeypatch.setattr(actor, "_SAME_AGAIN_S", 0.0)
    link.send(progress)
    assert link.news() == [progress, progress]
