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
    assert placements(worker) == [Placement("cpu", 5)] * 3 + [Placement("cuda:0", 5)] * 3


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
