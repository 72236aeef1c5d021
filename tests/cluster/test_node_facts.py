"""What two machines must have alike."""

from zssr_daemon.cluster.node_facts import cure_of, differences, facts_of_a_child

OURS = {"code": "a" * 64, "python": "3.11.7", "torch": "2.14.1+cpu", "processor": "x86_64 AVX2"}


def test_a_machine_is_like_itself() -> None:
    """The facts of a process of its own are those of this one, and all are known."""
    facts = facts_of_a_child()
    assert differences(facts, facts_of_a_child(), allow_mixed=False) == []
    assert "missing" not in facts.values()


def test_both_sides_are_named() -> None:
    """With the beginning of what is long."""
    theirs = OURS | {"code": "b" * 64}
    assert differences(OURS, theirs, allow_mixed=True) == ["code bbbbbbbb there, aaaaaaaa here"]
    assert cure_of(OURS, theirs).startswith("install the same release")


def test_what_may_be_mixed_is_said() -> None:
    """A setting lets packages and processors differ, and nothing else."""
    theirs = OURS | {"torch": "2.14.0+cpu", "processor": "x86_64 AVX512"}
    assert len(differences(OURS, theirs, allow_mixed=False)) == 2
    assert differences(OURS, theirs, allow_mixed=True) == []
    assert "allow_mixed = true" in cure_of(OURS, theirs)


def test_a_fact_that_a_machine_does_not_know_is_a_difference() -> None:
    """As of a release that did not compare it."""
    theirs = {name: fact for name, fact in OURS.items() if name != "python"}
    told = differences(OURS, theirs, allow_mixed=True)
    assert told == ["python unknown there, 3.11.7 here"]
