"""Placement: processes spread over devices, cores over processes."""

import os

import pytest

from zssr_daemon.executor import placement
from zssr_daemon.executor.placement import Placement, cores, memory_mark_bytes, placements
from zssr_daemon.settings.schema import Worker
from zssr_daemon.system.cgroup import memory_bytes


def test_named_devices_are_taken_as_they_are() -> None:
    """One process on each card, and the cores are shared out."""
    places = placements(Worker(devices=("cuda:0", "cuda:3")))
    assert [place.device for place in places] == ["cuda:0", "cuda:3"]
    assert {place.threads for place in places} == {max(1, cores() // 2)}


def test_cpu_gets_a_process_per_core() -> None:
    """A fit gains nothing from threads, so each core works on an image of its own."""
    assert placements(Worker(devices=("cpu",))) == [Placement("cpu", 1)] * min(cores(), 8)


def test_numbers_can_be_set() -> None:
    """The user's numbers win over ours."""
    worker = Worker(devices=("cpu", "cuda:0"), processes_per_device=3, threads=5)
    places = [(place.device, place.threads) for place in placements(worker)]
    assert places == [("cpu", 5)] * 3 + [("cuda:0", 5)] * 3


@pytest.mark.parametrize(
    ("keys", "share"),
    [
        ({}, 1.0),
        ({"processes_per_device": 3}, 0.3),
        ({"card_memory_share": 0.6}, 0.6),
        ({"card_memory_share": 0.6, "processes_per_device": 3}, 0.2),
    ],
)
def test_processes_of_a_card_share_its_memory(keys: dict[str, float], share: float) -> None:
    """Each has an equal part of what they may take together; the CPU's memory is another matter."""
    places = placements(Worker(devices=("cpu", "cuda:0", "cuda:1"), **keys))
    shares = {place.device: place.memory_share for place in places}
    assert shares == {"cpu": 1.0, "cuda:0": pytest.approx(share), "cuda:1": pytest.approx(share)}


def test_card_that_is_named_twice_is_shared() -> None:
    """Two processes are two, however they were asked for."""
    places = placements(Worker(devices=("cuda:0", "cuda:0"), threads=1))
    assert places == [Placement("cuda:0", 1, 0.45)] * 2


def test_cards_that_are_found_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine with two cards; on one without, "auto" means the CPU."""
    worker = Worker(processes_per_device=2, threads=1)
    assert {place.memory_share for place in placements(worker)} == {1.0}
    monkeypatch.setattr(placement, "_cards", lambda: 2)
    assert placements(worker) == [Placement(f"auto:{n}", 1, 0.45) for n in (0, 0, 1, 1)]


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_share_is_a_share(share: float) -> None:
    """Nothing, and more than all, is refused."""
    with pytest.raises(ValueError, match="card_memory_share"):
        Worker(card_memory_share=share)


def test_more_processes_than_cores_have_a_thread_each() -> None:
    """Nobody is left without."""
    places = placements(Worker(devices=("cpu",), processes_per_device=cores() * 2))
    assert {place.threads for place in places} == {1}


def test_auto_names_at_least_one_device() -> None:
    """On any machine there is at least one device."""
    assert placements(Worker())[0].device == "auto:0"


def test_cores_are_those_we_may_use() -> None:
    """A container's limit counts, not the machine's size."""
    mine = os.sched_getaffinity(0)
    one = {min(mine)}
    os.sched_setaffinity(0, one)
    try:
        assert cores() == 1
        assert len(placements(Worker(devices=("cpu",)))) == 1
    finally:
        os.sched_setaffinity(0, mine)


@pytest.mark.parametrize(("quota", "expected"), [(2.0, 2), (1.5, 2), (0.25, 1), (1e3, 64)])
def test_quota_of_the_control_group_counts(
    monkeypatch: pytest.MonkeyPatch, quota: float, expected: int
) -> None:
    """`--cpus 2` on 64 cores gives processes and threads for two."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    monkeypatch.setattr(placement, "cpu_quota", lambda: quota)
    assert cores() == expected
    assert len(placements(Worker(devices=("cpu",)))) == min(expected, 8)
    (card,) = placements(Worker(devices=("cuda:0",)))
    assert card.threads == expected


def test_memory_mark_is_a_share_of_the_machine() -> None:
    """Half for all of them, never less than one photograph needs; a number is taken as it is."""
    assert memory_mark_bytes(Worker(), 1) == max(2 << 30, memory_bytes() // 2)
    assert memory_mark_bytes(Worker(), 10**6) == 2 << 30
    assert memory_mark_bytes(Worker(max_memory_bytes=7), 4) == 7
